// The refusal for a stream with hidden events.
import { Rejection } from '@headwater/deciders/decider'

/** The stream was soft-deleted or truncated by metadata: the remaining events are no basis for a decision. */
export class StreamTruncated extends Rejection {
  constructor() {
    super('stream_truncated', 'Part of its history is missing in the event store. An operator has to look at it.')
  }
}
