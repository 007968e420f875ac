// The refusal for a stream of which the store hides events.
import { Rejection } from '@headwater/deciders/decider'

/** The stream was soft-deleted, or its metadata cut it short. No decision can rest on the other events. */
export class StreamTruncated extends Rejection {
  constructor() {
    super('stream_truncated', 'Part of its history is missing in the event store. An operator has to look at it.')
  }
}
