// Reads that EventStoreDB refuses, the features that the node reports, and methods that it does not implement.
import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { ofAll, ofStream, type ReadOptions, rawRead, readRequest, useStore } from './helpers.ts'

const used = useStore()
const { Options } = streamsPb.ReadReq

describe('combinations that EventStoreDB refuses are INVALID_ARGUMENT', () => {
  const filter = (multiplier: number, max?: number) => {
    const options = new Options.FilterOptions()
    const expression = new Options.FilterOptions.Expression()
    expression.setRegex('.')
    options.setEventType(expression)
    options.setCheckpointintervalmultiplier(multiplier)
    if (max !== undefined) options.setMax(max)
    return options
  }
  const subscription = new Options.SubscriptionOptions()
  const position = (commit: string, prepare: string) => {
    const found = new Options.Position()
    found.setCommitPosition(commit)
    found.setPreparePosition(prepare)
    return found
  }
  const cases: Record<string, (options: ReadOptions) => void> = {
    'no source': (options) => options.setCount('1'),
    'no stream name': (options) => ofStream(options, '') && options.setCount('1'),
    'neither count nor subscription': (options) => ofAll(options),
    'backwards subscription': (options) => {
      ofAll(options)
      options.setSubscription(subscription)
      options.setReadDirection(1)
    },
    'unknown direction': (options) => {
      ofAll(options)
      options.setCount('1')
      options.setReadDirection(2 as never)
    },
    'filter on a stream': (options) => {
      ofStream(options, 'x')
      options.setCount('1')
      options.setFilter(filter(1))
    },
    'no filter option': (options) => {
      ofAll(options)
      options.setCount('1')
      options.clearNoFilter()
    },
    'no uuid option': (options) => {
      ofAll(options)
      options.setCount('1')
      options.clearUuidOption()
    },
    'checkpoint multiplier 0': (options) => {
      ofAll(options)
      options.setSubscription(subscription)
      options.setFilter(filter(0))
    },
    'search window 0': (options) => {
      ofAll(options)
      options.setSubscription(subscription)
      options.setFilter(filter(1, 0))
    },
    'prepare after commit': (options) => {
      ofAll(options).setPosition(position('1', '2'))
      options.setCount('1')
    },
    'a position beyond 64 bits signed': (options) => {
      ofAll(options).setPosition(position('18446744073709551614', '1'))
      options.setCount('1')
    },
  }
  test.each(Object.entries(cases))('%s', async (_, set) => {
    const ended = await rawRead(used.raw, readRequest(set))
    expect(ended.status.code).toBe(status.INVALID_ARGUMENT)
  })
})

const unary = (path: string): Promise<{ code: number; details: string; answer?: Buffer | undefined }> =>
  new Promise((resolve) => {
    const same = (bytes: Buffer) => bytes
    used.raw.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error, answer) =>
      resolve(error ? { code: error.code, details: error.details } : { code: status.OK, details: '', answer }),
    )
  })

test('the node reports its version and only served methods', async () => {
  const { answer } = await unary('/event_store.client.server_features.ServerFeatures/GetSupportedMethods')
  const supported = features.SupportedMethods.deserializeBinary(answer ?? Buffer.alloc(0))
  expect(supported.getEventStoreServerVersion()).toBe('24.6.0')
  const methods = supported.getMethodsList().map((each) => [each.getMethodName(), each.getFeaturesList()])
  expect(methods).toEqual([
    ['read', ['position', 'events']],
    ['append', []],
    ['delete', []],
    ['tombstone', []],
    ['batchappend', ['deadline_duration']],
    ...['create', 'update', 'delete', 'read', 'getinfo', 'replayparked', 'list', 'restartsubsystem'].map((name) => [
      name,
      ['stream', 'all'],
    ]),
    ['getsupportedmethods', []],
    ['read', []],
    ['shutdown', []],
    // Listed, because the client would not see the clear refusal over HTTP.
    ['create', ['track_emitted_streams']],
    ...['update', 'delete', 'statistics', 'disable', 'enable', 'reset', 'state', 'result', 'restartsubsystem'].map(
      (name) => [name, []],
    ),
  ])
})

test.each([
  ['event_store.client.monitoring.Monitoring/Stats', 'Service'],
  ['event_store.client.operations.Operations/MergeIndexes', 'Method'],
  ['event_store.client.users.Users/Create', 'Service'],
])('%s is UNIMPLEMENTED and says so', async (path, what) => {
  expect(await unary(`/${path}`)).toMatchObject({ code: status.UNIMPLEMENTED, details: `${what} is unimplemented.` })
})
