// Answers of the PersistentSubscriptions service, read by the client's generated code.
import persistentPb from '@eventstore/db-client/generated/persistent_pb.js'
import fc from 'fast-check'
import type { Consumer } from '../../src/persistent/group.ts'
import { encodeInfo, encodeList, encodeSubscribed, type Looked } from '../../src/persistent/replies.ts'
import { sourceName } from '../../src/persistent/settings.ts'
import { encodeReadEvent, encodeRecord, tombstoneRevision } from '../../src/store/record.ts'
import { answer, type Entry } from './entry.ts'
import { settingsWith } from './persistent-requests.ts'
import { bytes, place, text, toIdentifier, toUuid, uuid } from './values.ts'

const { GetInfoResp, ListResp, ReadResp, SubscriptionInfo } = persistentPb
const int32 = fc.integer({ min: 0, max: 2 ** 31 - 1 })

const confirmed = answer({
  name: 'persistent ReadResp: confirmation',
  values: text,
  encode: encodeSubscribed,
  decode: ReadResp.deserializeBinary,
  expected: (id) =>
    new ReadResp().setSubscriptionConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId(id)),
})

const { RecordedEvent } = ReadResp.ReadEvent
const recorded = fc.record({
  id: uuid,
  streamName: text,
  // Without the revision of a tombstone.
  revision: place.filter((revision) => revision !== tombstoneRevision),
  position: place,
  createdAtMs: fc.nat(2 ** 31),
  type: text,
  customMetadata: bytes,
  data: bytes,
})
type Recorded = typeof recorded extends fc.Arbitrary<infer Value> ? Value : never
const stored = ({ id, type, customMetadata, data, ...at }: Recorded) =>
  encodeRecord(
    { id: Buffer.from(id.replaceAll('-', ''), 'hex'), type, contentType: 'application/json', customMetadata, data },
    at,
  )
const toRecorded = (given: Recorded) => {
  const message = new RecordedEvent()
    .setId(toUuid({ form: 'string', text: given.id }))
    .setStreamIdentifier(toIdentifier(given.streamName))
    .setStreamRevision(String(given.revision))
    .setPreparePosition(String(given.position))
    .setCommitPosition(String(given.position))
    .setCustomMetadata(given.customMetadata)
    .setData(given.data)
  message.getMetadataMap().set('type', given.type).set('content-type', 'application/json')
  message.getMetadataMap().set('created', String(given.createdAtMs * 10_000))
  return message
}

const event = answer({
  name: 'persistent ReadResp: event',
  values: fc.record({
    event: fc.option(recorded, { nil: undefined }),
    link: recorded,
    retryCount: int32,
    position: place,
  }),
  encode: ({ event, link, retryCount, position }) =>
    encodeReadEvent({ event: event && stored(event), link: stored(link), retryCount, position }, 'string'),
  decode: ReadResp.deserializeBinary,
  expected: ({ event, link, retryCount, position }) => {
    const read = new ReadResp.ReadEvent().setCommitPosition(String(position)).setRetryCount(retryCount)
    if (event) read.setEvent(toRecorded(event))
    return new ReadResp().setEvent(read.setLink(toRecorded(link)))
  },
})

const measurement = fc.record({ key: text, value: place })
const figures = fc.record({
  total: place,
  sinceLast: place,
  averagePerSecond: int32,
  measurements: fc.array(measurement, { maxLength: 3 }),
})
const consumer = fc.record({
  name: text,
  from: text,
  userName: text,
  bufferSize: fc.integer({ min: 20, max: 2 ** 31 - 1 }),
  inFlight: fc.nat(20),
  figures,
})
const looked = fc.record({
  streamName: fc.option(
    text.filter((name) => name !== '$all'),
    { nil: undefined },
  ),
  groupName: text,
  settings: settingsWith(text),
  consumers: fc.array(consumer, { maxLength: 3 }),
  figures,
  texts: fc.record({ status: text, checkpoint: text, end: text, startFrom: text }),
  counts: fc.record({ waiting: int32, retries: int32, outstanding: int32, parked: place }),
  isLive: fc.boolean(),
})
type Given = typeof looked extends fc.Arbitrary<infer Value> ? Value : never

const toLooked = (given: Given): Looked => ({
  definition: {
    source:
      given.streamName === undefined
        ? { kind: 'all', filter: undefined }
        : { kind: 'stream', streamName: given.streamName },
    groupName: given.groupName,
    startFrom: 0,
    settings: given.settings,
  },
  look: () => ({
    ...given.texts,
    ...given.counts,
    isLive: given.isLive,
    statistics: given.figures,
    consumers: given.consumers.map(
      ({ inFlight, figures: own, ...rest }): Consumer => ({
        ...rest,
        inFlight: new Map(Array.from({ length: inFlight }, (_, index) => [String(index), {} as never])),
        statistics: { count: () => undefined, ask: () => own },
        hasRoom: () => false,
        send: () => undefined,
        drop: () => undefined,
      }),
    ),
  }),
})

const toInfo = (given: Given) => {
  const { settings, texts, counts } = given
  const message = new SubscriptionInfo()
    .setEventSource(sourceName(toLooked(given).definition.source))
    .setGroupName(given.groupName)
    .setStatus(texts.status)
    .setAveragePerSecond(given.figures.averagePerSecond)
    .setTotalItems(String(given.figures.total))
    .setCountSinceLastMeasurement(String(given.figures.sinceLast))
    .setLastCheckpointedEventPosition(texts.checkpoint)
    .setLastKnownEventPosition(texts.end)
    .setResolveLinkTos(settings.resolveLinks)
    .setStartFrom(texts.startFrom)
    .setMessageTimeoutMilliseconds(settings.messageTimeoutMs)
    .setExtraStatistics(settings.extraStatistics)
    .setMaxRetryCount(settings.maxRetryCount)
    .setLiveBufferSize(settings.liveBufferSize)
    .setBufferSize(settings.historyBufferSize)
    .setReadBatchSize(settings.readBatchSize)
    .setCheckPointAfterMilliseconds(settings.checkpointAfterMs)
    .setMinCheckPointCount(settings.minCheckpointCount)
    .setMaxCheckPointCount(settings.maxCheckpointCount)
    .setReadBufferCount(given.isLive ? 0 : counts.waiting)
    .setLiveBufferCount(String(given.isLive ? counts.waiting : 0))
    .setRetryBufferCount(counts.retries)
    .setTotalInFlightMessages(counts.outstanding)
    .setOutstandingMessagesCount(counts.outstanding)
    .setNamedConsumerStrategy(settings.strategy)
    .setMaxSubscriberCount(settings.maxSubscriberCount)
    .setParkedMessageCount(String(counts.parked))
  for (const { name, from, userName, bufferSize, inFlight, figures: own } of given.consumers) {
    const connection = new SubscriptionInfo.ConnectionInfo()
      .setFrom(from)
      .setUsername(userName)
      .setAverageItemsPerSecond(own.averagePerSecond)
      .setTotalItems(String(own.total))
      .setCountSinceLastMeasurement(String(own.sinceLast))
      .setAvailableSlots(bufferSize - inFlight)
      .setInFlightMessages(inFlight)
      .setConnectionName(name)
    for (const { key, value } of own.measurements)
      connection.addObservedMeasurements(new SubscriptionInfo.Measurement().setKey(key).setValue(String(value)))
    message.addConnections(connection)
  }
  return message
}

const info = answer({
  name: 'persistent GetInfoResp',
  values: looked,
  encode: (given) => encodeInfo(toLooked(given)),
  decode: GetInfoResp.deserializeBinary,
  expected: (given) => new GetInfoResp().setSubscriptionInfo(toInfo(given)),
})

const list = answer({
  name: 'persistent ListResp',
  values: fc.array(looked, { maxLength: 3 }),
  encode: (given) => encodeList(given.map(toLooked)),
  decode: ListResp.deserializeBinary,
  expected: (given) => new ListResp().setSubscriptionsList(given.map(toInfo)),
})

export const persistentAnswers: readonly Entry[] = [confirmed, event, info, list]
