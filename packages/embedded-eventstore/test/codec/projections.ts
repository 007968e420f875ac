// The messages of the Projections service, in both directions.
import projectionsPb from '@eventstore/db-client/generated/projections_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import fc from 'fast-check'
import {
  decodeDisable,
  decodeNamed,
  decodeStatistics,
  decodeUpdate,
  emptyState,
  encodeStatistics,
} from '../../src/projections/messages.ts'
import { answer, type Entry, request } from './entry.ts'
import { place, text } from './values.ts'

const { DeleteReq, DisableReq, EnableReq, ResetReq, ResultReq, StateReq, StatisticsReq, UpdateReq } = projectionsPb
const { ResultResp, StateResp, StatisticsResp } = projectionsPb
const nested = [[1]] as const

const named = (name: string, encode: (given: string) => { serializeBinary(): Uint8Array }): Entry =>
  request({
    name,
    values: text,
    encode: (given) => encode(given).serializeBinary(),
    decode: decodeNamed,
    expected: (given) => ({ name: given }),
    nested,
  })

const requests: readonly Entry[] = [
  named('EnableReq', (name) => new EnableReq().setOptions(new EnableReq.Options().setName(name))),
  named('ResetReq', (name) => new ResetReq().setOptions(new ResetReq.Options().setName(name).setWriteCheckpoint(true))),
  named('DeleteReq', (name) =>
    new DeleteReq().setOptions(new DeleteReq.Options().setName(name).setDeleteEmittedStreams(true)),
  ),
  named('StateReq', (name) => new StateReq().setOptions(new StateReq.Options().setName(name).setPartition('p'))),
  named('ResultReq', (name) => new ResultReq().setOptions(new ResultReq.Options().setName(name).setPartition('p'))),
  request({
    name: 'DisableReq',
    values: fc.record({ name: text, writeCheckpoint: fc.boolean() }),
    encode: ({ name, writeCheckpoint }) => {
      const options = new DisableReq.Options().setName(name).setWriteCheckpoint(writeCheckpoint)
      return new DisableReq().setOptions(options).serializeBinary()
    },
    decode: decodeDisable,
    expected: (given) => given,
    nested,
  }),
  request({
    name: 'UpdateReq',
    values: fc.record({ name: text, query: text }),
    encode: ({ name, query }) => {
      const options = new UpdateReq.Options().setName(name).setQuery(query).setEmitEnabled(true)
      return new UpdateReq().setOptions(options).serializeBinary()
    },
    decode: decodeUpdate,
    expected: (given) => given,
    nested,
  }),
  request({
    name: 'StatisticsReq',
    values: fc.oneof(
      fc.record({ name: fc.constant(''), mode: fc.constantFrom('all', 'transient', 'continuous', 'one time') }),
      fc.record({ name: text, mode: fc.constant('all') }),
    ),
    encode: ({ name, mode }) => {
      const options = new StatisticsReq.Options()
      if (name !== '') options.setName(name)
      else if (mode === 'all') options.setAll(new shared.Empty())
      else if (mode === 'transient') options.setTransient(new shared.Empty())
      else if (mode === 'continuous') options.setContinuous(new shared.Empty())
      else options.setOneTime(new shared.Empty())
      return new StatisticsReq().setOptions(options).serializeBinary()
    },
    decode: decodeStatistics,
    expected: (given) => given,
    nested: [[1], [1, 2], [1, 3], [1, 4], [1, 5]],
  }),
]

const count = fc.nat(2 ** 31 - 1)
const version = fc.oneof(fc.constant(-1), place)

const answers: readonly Entry[] = [
  answer({
    name: 'StatisticsResp',
    values: fc.record({
      coreProcessingTime: place,
      version,
      epoch: version,
      effectiveName: text,
      writesInProgress: count,
      readsInProgress: count,
      partitionsCached: count,
      status: text,
      stateReason: text,
      name: text,
      mode: text,
      position: text,
      progress: fc.float({ noNaN: true }),
      lastCheckpoint: text,
      eventsProcessedAfterRestart: place,
      checkpointStatus: text,
      bufferedEvents: place,
      writePendingEventsBeforeCheckpoint: count,
      writePendingEventsAfterCheckpoint: count,
    }),
    encode: encodeStatistics,
    decode: StatisticsResp.deserializeBinary,
    expected: (given) =>
      new StatisticsResp().setDetails(
        new StatisticsResp.Details()
          .setCoreprocessingtime(String(given.coreProcessingTime))
          .setVersion(String(given.version))
          .setEpoch(String(given.epoch))
          .setEffectivename(given.effectiveName)
          .setWritesinprogress(given.writesInProgress)
          .setReadsinprogress(given.readsInProgress)
          .setPartitionscached(given.partitionsCached)
          .setStatus(given.status)
          .setStatereason(given.stateReason)
          .setName(given.name)
          .setMode(given.mode)
          .setPosition(given.position)
          .setProgress(given.progress)
          .setLastcheckpoint(given.lastCheckpoint)
          .setEventsprocessedafterrestart(String(given.eventsProcessedAfterRestart))
          .setCheckpointstatus(given.checkpointStatus)
          .setBufferedevents(String(given.bufferedEvents))
          .setWritependingeventsbeforecheckpoint(given.writePendingEventsBeforeCheckpoint)
          .setWritependingeventsaftercheckpoint(given.writePendingEventsAfterCheckpoint),
      ),
  }),
  // google-protobuf's classes are not exported by the client: the empty object is given as bytes.
  answer({
    name: 'StateResp',
    values: fc.constant(emptyState),
    encode: (given) => given,
    decode: StateResp.deserializeBinary,
    expected: () => StateResp.deserializeBinary(Buffer.from([0x0a, 2, 0x2a, 0])),
  }),
  answer({
    name: 'ResultResp',
    values: fc.constant(emptyState),
    encode: (given) => given,
    decode: ResultResp.deserializeBinary,
    expected: () => ResultResp.deserializeBinary(Buffer.from([0x0a, 2, 0x2a, 0])),
  }),
]

export const projections: readonly Entry[] = [...requests, ...answers]
