// The topics of every context, by name.
import type { Topic } from '@headwater/live/topic'
import { rooms } from '../rooms.ts'

export const topics: ReadonlyMap<string, Topic> = new Map(rooms.flatMap((room) => Object.entries(room.topics)))
