// Encodes the answers of the PersistentSubscriptions service, except events (field numbers: its published messages).
import { message } from '../streams/replies.ts'
import { type Writer, writeNested, writeString, writeU64 } from '../wire/wire.ts'
import type { Consumer, Group } from './group.ts'
import { sourceName } from './settings.ts'
import type { Figures } from './statistics.ts'

const writeNumber = (writer: Writer, field: number, value: number): void => {
  if (value !== 0) writer.uint32(field << 3).int32(value)
}
const writeLong = (writer: Writer, field: number, value: number): void => {
  if (value !== 0) writeU64(writer, field, value)
}
const writeText = (writer: Writer, field: number, value: string): void => {
  if (value !== '') writeString(writer, field, value)
}
const writeTrue = (writer: Writer, field: number, value: boolean): void => {
  if (value) writer.uint32(field << 3).bool(true)
}

/** The description of a group in answers. */
export type Looked = Pick<Group, 'definition' | 'look'>

const writeConsumer = (writer: Writer, consumer: Consumer, figures: Figures): void => {
  writeText(writer, 1, consumer.from)
  writeText(writer, 2, consumer.userName)
  writeNumber(writer, 3, figures.averagePerSecond)
  writeLong(writer, 4, figures.total)
  writeLong(writer, 5, figures.sinceLast)
  for (const { key, value } of figures.measurements) {
    writeNested(writer, 6, (measurement) => {
      writeText(measurement, 1, key)
      writeLong(measurement, 2, value)
    })
  }
  writeNumber(writer, 7, consumer.bufferSize - consumer.inFlight.size)
  writeNumber(writer, 8, consumer.inFlight.size)
  writeText(writer, 9, consumer.name)
}

const writeInfo = (writer: Writer, group: Looked): void => {
  const { source, groupName, settings } = group.definition
  const found = group.look()
  writeText(writer, 1, sourceName(source))
  writeText(writer, 2, groupName)
  writeText(writer, 3, found.status)
  for (const consumer of found.consumers) {
    const figures = consumer.statistics.ask(settings.extraStatistics)
    writeNested(writer, 4, (inner) => writeConsumer(inner, consumer, figures))
  }
  writeNumber(writer, 5, found.statistics.averagePerSecond)
  writeLong(writer, 6, found.statistics.total)
  writeLong(writer, 7, found.statistics.sinceLast)
  writeText(writer, 8, found.checkpoint)
  writeText(writer, 9, found.end)
  writeTrue(writer, 10, settings.resolveLinks)
  writeText(writer, 11, found.startFrom)
  writeNumber(writer, 12, settings.messageTimeoutMs)
  writeTrue(writer, 13, settings.extraStatistics)
  writeNumber(writer, 14, settings.maxRetryCount)
  writeNumber(writer, 15, settings.liveBufferSize)
  writeNumber(writer, 16, settings.historyBufferSize)
  writeNumber(writer, 17, settings.readBatchSize)
  writeNumber(writer, 18, settings.checkpointAfterMs)
  writeNumber(writer, 19, settings.minCheckpointCount)
  writeNumber(writer, 20, settings.maxCheckpointCount)
  // One buffer holds historical and live events.
  writeNumber(writer, 21, found.isLive ? 0 : found.waiting)
  writeLong(writer, 22, found.isLive ? found.waiting : 0)
  writeNumber(writer, 23, found.retries)
  writeNumber(writer, 24, found.outstanding)
  writeNumber(writer, 25, found.outstanding)
  writeText(writer, 26, settings.strategy)
  writeNumber(writer, 27, settings.maxSubscriberCount)
  writeLong(writer, 28, found.parked)
}

export const encodeInfo = (group: Looked): Buffer =>
  message((writer) => writeNested(writer, 1, (info) => writeInfo(info, group)))

export const encodeList = (groups: readonly Looked[]): Buffer =>
  message((writer) => {
    for (const group of groups) writeNested(writer, 1, (info) => writeInfo(info, group))
  })

export const encodeSubscribed = (subscriptionId: string): Buffer =>
  message((writer) => writeNested(writer, 2, (confirmation) => writeString(confirmation, 1, subscriptionId)))
