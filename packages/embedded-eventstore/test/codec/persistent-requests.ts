// The requests of the PersistentSubscriptions service.
import persistentPb from '@eventstore/db-client/generated/persistent_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import fc from 'fast-check'
import {
  decodeConsumerRequest,
  decodeDefinition,
  decodeGroupName,
  decodeList,
  decodeReplay,
  deleteFields,
  infoFields,
} from '../../src/persistent/requests.ts'
import { type Entry, refused, request } from './entry.ts'
import { id, idBytes, place, text, toIdentifier, toUuid } from './values.ts'

const { CreateReq, UpdateReq, DeleteReq, GetInfoReq, ReplayParkedReq, ListReq, ReadReq } = persistentPb
const empty = () => new shared.Empty()
const int32 = fc.integer({ min: 0, max: 2 ** 31 - 1 })

export const settingsWith = (strategy: fc.Arbitrary<string>) =>
  fc.record({
    resolveLinks: fc.boolean(),
    extraStatistics: fc.boolean(),
    messageTimeoutMs: int32,
    maxRetryCount: int32,
    checkpointAfterMs: int32,
    minCheckpointCount: int32,
    maxCheckpointCount: int32,
    maxSubscriberCount: int32,
    liveBufferSize: int32,
    readBatchSize: int32,
    historyBufferSize: int32,
    strategy,
  })
const settings = settingsWith(
  fc.constantFrom('DispatchToSingle', 'RoundRobin', 'Pinned', 'PinnedByCorrelation', 'of one’s own'),
)
type Settings = typeof settings extends fc.Arbitrary<infer Value> ? Value : never
const strategyNumbers = ['DispatchToSingle', 'RoundRobin', 'Pinned']
// .NET ticks of 100 ns.
const ticks = (ms: number) => String(ms * 10_000)

type SettingsMessage = persistentPb.CreateReq.Settings | persistentPb.UpdateReq.Settings
const fillSettings = <Message extends SettingsMessage>(
  message: Message,
  given: Settings,
  inTicks: boolean,
): Message => {
  message.setResolveLinks(given.resolveLinks)
  message.setExtraStatistics(given.extraStatistics)
  if (inTicks) {
    message.setMessageTimeoutTicks(ticks(given.messageTimeoutMs))
    message.setCheckpointAfterTicks(ticks(given.checkpointAfterMs))
  } else {
    message.setMessageTimeoutMs(given.messageTimeoutMs)
    message.setCheckpointAfterMs(given.checkpointAfterMs)
  }
  message.setMaxRetryCount(given.maxRetryCount)
  message.setMinCheckpointCount(given.minCheckpointCount)
  message.setMaxCheckpointCount(given.maxCheckpointCount)
  message.setMaxSubscriberCount(given.maxSubscriberCount)
  message.setLiveBufferSize(given.liveBufferSize)
  message.setReadBatchSize(given.readBatchSize)
  message.setHistoryBufferSize(given.historyBufferSize)
  const number = strategyNumbers.indexOf(given.strategy)
  if (number >= 0) message.setNamedConsumerStrategy(number as 0)
  else if (message instanceof CreateReq.Settings) message.setConsumerStrategy(given.strategy)
  return message
}

const startFrom = fc.oneof(fc.constantFrom('start' as const, 'end' as const), fc.nat())
type StartFrom = 'start' | 'end' | number
const expectedStart = (from: StartFrom) => (from === 'start' ? 0 : from)

type Startable = { setStart(value: shared.Empty): unknown; setEnd(value: shared.Empty): unknown }
const setStart = (to: Startable, from: StartFrom, set: (from: number) => void) => {
  if (from === 'start') to.setStart(empty())
  else if (from === 'end') to.setEnd(empty())
  else set(from)
}

const filter = fc.option(
  fc.record({
    on: fc.constantFrom('stream name' as const, 'event type' as const),
    regex: fc.constantFrom('', '^a', '.*'),
    prefixes: fc.array(text, { maxLength: 3 }),
    searchWindow: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { nil: undefined }),
    checkpointIntervalMultiplier: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  }),
  { nil: undefined },
)
type Filter = typeof filter extends fc.Arbitrary<infer Value> ? Value : never
const toFilter = (given: NonNullable<Filter>) => {
  const message = new CreateReq.AllOptions.FilterOptions()
  const expression = new CreateReq.AllOptions.FilterOptions.Expression()
  expression.setRegex(given.regex).setPrefixList(given.prefixes)
  if (given.on === 'stream name') message.setStreamIdentifier(expression)
  else message.setEventType(expression)
  if (given.searchWindow === undefined) message.setCount(empty())
  else message.setMax(given.searchWindow)
  return message.setCheckpointintervalmultiplier(given.checkpointIntervalMultiplier)
}
const windowDefault = 32
const expectedFilter = (given: Filter) => given && { ...given, searchWindow: given.searchWindow ?? windowDefault }

const streamName = text.filter((name) => name !== '')
const definition = fc.record({
  form: fc.constantFrom('deprecated' as const, 'stream' as const, 'all' as const),
  streamName: text,
  groupName: text,
  startFrom,
  filter,
  settings,
  inTicks: fc.boolean(),
})
type Definition = typeof definition extends fc.Arbitrary<infer Value> ? Value : never

const u64Max = '18446744073709551615'
const deprecatedStart = (from: StartFrom) => (from === 'end' ? u64Max : String(expectedStart(from)))

const toCreate = (given: Definition): persistentPb.CreateReq => {
  const options = new CreateReq.Options().setGroupName(given.groupName)
  const settingsMessage = fillSettings(new CreateReq.Settings(), given.settings, given.inTicks)
  if (given.form === 'all') {
    const all = new CreateReq.AllOptions()
    setStart(all, given.startFrom, (from) => {
      all.setPosition(new CreateReq.Position().setCommitPosition(String(from)).setPreparePosition(String(from)))
    })
    if (given.filter) all.setFilter(toFilter(given.filter))
    else all.setNoFilter(empty())
    options.setAll(all)
  } else if (given.form === 'stream') {
    const stream = new CreateReq.StreamOptions().setStreamIdentifier(toIdentifier(given.streamName))
    setStart(stream, given.startFrom, (from) => stream.setRevision(String(from)))
    options.setStream(stream)
  } else {
    options.setStreamIdentifier(toIdentifier(given.streamName))
    settingsMessage.setRevision(deprecatedStart(given.startFrom))
  }
  return new CreateReq().setOptions(options.setSettings(settingsMessage))
}

const expectedDefinition = (given: Definition, isCreate: boolean) => ({
  source:
    given.form === 'all'
      ? { kind: 'all', filter: isCreate ? expectedFilter(given.filter) : undefined }
      : { kind: 'stream', streamName: given.streamName },
  groupName: given.groupName,
  startFrom: expectedStart(given.startFrom),
  settings: given.settings,
})

const create = request({
  name: 'persistent CreateReq',
  values: definition,
  encode: (given) => toCreate(given).serializeBinary(),
  decode: decodeDefinition,
  expected: (given) => expectedDefinition(given, true),
  nested: [[1], [1, 1], [1, 3], [1, 4], [1, 5], [1, 5, 4], [1, 5, 1]],
})

const update = request({
  name: 'persistent UpdateReq',
  // An update has no custom strategy and no filter.
  values: definition.filter(({ settings: { strategy } }) => strategyNumbers.includes(strategy)),
  encode: (given) => {
    const options = new UpdateReq.Options().setGroupName(given.groupName)
    const settingsMessage = fillSettings(new UpdateReq.Settings(), given.settings, given.inTicks)
    if (given.form === 'all') {
      const all = new UpdateReq.AllOptions()
      setStart(all, given.startFrom, (from) => {
        all.setPosition(new UpdateReq.Position().setCommitPosition(String(from)).setPreparePosition(String(from)))
      })
      options.setAll(all)
    } else if (given.form === 'stream') {
      const stream = new UpdateReq.StreamOptions().setStreamIdentifier(toIdentifier(given.streamName))
      setStart(stream, given.startFrom, (from) => stream.setRevision(String(from)))
      options.setStream(stream)
    } else {
      options.setStreamIdentifier(toIdentifier(given.streamName))
      settingsMessage.setRevision(deprecatedStart(given.startFrom))
    }
    return new UpdateReq().setOptions(options.setSettings(settingsMessage)).serializeBinary()
  },
  decode: decodeDefinition,
  expected: (given) => expectedDefinition(given, false),
  nested: [[1], [1, 1], [1, 3], [1, 4], [1, 5]],
})

const groupName = fc.record({ streamName: fc.option(streamName, { nil: undefined }), groupName: text })
type GroupName = { streamName: string | undefined; groupName: string }
const expectedName = (given: GroupName) =>
  given.groupName === ''
    ? refused
    : {
        streamName: given.streamName ?? '$all',
        groupName: given.groupName,
        isAll: given.streamName === undefined,
      }
type Named = {
  setStreamIdentifier(value: shared.StreamIdentifier): unknown
  setAll(value: shared.Empty): unknown
  setGroupName(value: string): unknown
}
const fillName = <Message extends Named>(message: Message, given: GroupName): Message => {
  if (given.streamName === undefined) message.setAll(empty())
  else message.setStreamIdentifier(toIdentifier(given.streamName))
  message.setGroupName(given.groupName)
  return message
}

const remove = request({
  name: 'persistent DeleteReq',
  values: groupName,
  encode: (given) => new DeleteReq().setOptions(fillName(new DeleteReq.Options(), given)).serializeBinary(),
  decode: (message) => decodeGroupName(message, deleteFields),
  expected: expectedName,
  nested: [[1], [1, 1], [1, 3]],
})

const info = request({
  name: 'persistent GetInfoReq',
  values: groupName,
  encode: (given) => new GetInfoReq().setOptions(fillName(new GetInfoReq.Options(), given)).serializeBinary(),
  decode: (message) => decodeGroupName(message, infoFields),
  expected: expectedName,
  nested: [[1], [1, 1], [1, 2]],
})

const replay = request({
  name: 'persistent ReplayParkedReq',
  values: fc.record({ name: groupName, stopAt: fc.option(place, { nil: undefined }) }),
  encode: ({ name, stopAt }) => {
    const options = fillName(new ReplayParkedReq.Options(), name)
    if (stopAt === undefined) options.setNoLimit(empty())
    else options.setStopAt(String(stopAt))
    return new ReplayParkedReq().setOptions(options).serializeBinary()
  },
  decode: decodeReplay,
  expected: ({ name, stopAt }) => {
    const found = expectedName(name)
    return typeof found === 'symbol' ? found : { ...found, stopAt }
  },
  nested: [[1], [1, 2], [1, 3]],
})

const list = request({
  name: 'persistent ListReq',
  values: fc.oneof(fc.constantFrom('every one' as const, 'of $all' as const), fc.record({ streamName })),
  encode: (given) => {
    const options = new ListReq.Options()
    const stream = new ListReq.StreamOption()
    if (given === 'every one') options.setListAllSubscriptions(empty())
    else if (given === 'of $all') options.setListForStream(stream.setAll(empty()))
    else options.setListForStream(stream.setStream(toIdentifier(given.streamName)))
    return new ListReq().setOptions(options).serializeBinary()
  },
  decode: decodeList,
  expected: (given) => (given === 'every one' ? undefined : given === 'of $all' ? '$all' : given.streamName),
  nested: [[1], [1, 2], [1, 2, 1]],
})

const subscribe = request({
  name: 'persistent ReadReq: options',
  values: fc.record({ name: groupName, bufferSize: int32, structured: fc.boolean() }),
  encode: ({ name, bufferSize, structured }) => {
    const ids = new ReadReq.Options.UUIDOption()
    if (structured) ids.setStructured(empty())
    else ids.setString(empty())
    const options = fillName(new ReadReq.Options(), name).setBufferSize(bufferSize).setUuidOption(ids)
    return new ReadReq().setOptions(options).serializeBinary()
  },
  decode: decodeConsumerRequest,
  expected: ({ name, bufferSize, structured }) => {
    const found = expectedName(name)
    if (typeof found === 'symbol' || bufferSize < 1) return refused
    return { kind: 'subscribe', ...found, bufferSize, idsAs: structured ? 'structured' : 'string' }
  },
  nested: [[1], [1, 1], [1, 4], [1, 5]],
})

const ids = fc.array(
  id.filter((given) => given.form !== 'none' && idBytes(given) !== undefined),
  { maxLength: 5 },
)
const acknowledge = request({
  name: 'persistent ReadReq: ack',
  values: ids,
  encode: (given) => new ReadReq().setAck(new ReadReq.Ack().setIdsList(given.map(toUuid))).serializeBinary(),
  decode: decodeConsumerRequest,
  expected: (given) => ({ kind: 'ack', ids: given.map(idBytes) }),
  nested: [[2], [2, 2]],
})

const actions = ['unknown', 'park', 'retry', 'skip', 'stop'] as const
const refuse = request({
  name: 'persistent ReadReq: nack',
  values: fc.record({ ids, action: fc.constantFrom(...actions), reason: text }),
  encode: ({ ids: given, action, reason }) => {
    const nack = new ReadReq.Nack().setIdsList(given.map(toUuid)).setReason(reason)
    return new ReadReq().setNack(nack.setAction(actions.indexOf(action) as 0)).serializeBinary()
  },
  decode: decodeConsumerRequest,
  expected: ({ ids: given, action, reason }) => ({ kind: 'nack', ids: given.map(idBytes), action, reason }),
  nested: [[3], [3, 2]],
})

export const persistentRequests: readonly Entry[] = [
  create,
  update,
  remove,
  info,
  replay,
  list,
  subscribe,
  acknowledge,
  refuse,
]
