// Names of streams: `<category>-<id>`; the category is the text before the first `-`.
import { snapshotPrefix } from '@headwater/deciders/stream-type'

/** The stream with this ID in `category`. */
export const streamName = (category: string, id: string): string => `${category}-${id}`

/** The category of a stream; the whole name when it has no `-`. */
export const categoryOf = (stream: string): string => {
  const dash = stream.indexOf('-')
  return dash < 0 ? stream : stream.slice(0, dash)
}

/** The ID in a stream's name. */
export const idOf = (stream: string): string => stream.slice(categoryOf(stream).length + 1)

/** The stream with the snapshots of a stream. */
export const snapshotStreamOf = (stream: string): string => `${snapshotPrefix}${stream}`

export const isSnapshotStream = (stream: string): boolean => stream.startsWith(snapshotPrefix)
