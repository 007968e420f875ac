// Which jobs the events of a context become.
import { context } from '@headwater/deciders/context'
import type { RequestedJob } from '@headwater/deciders/reaction'
import { expect, test } from 'vitest'
import { type JobRow, reactionsOf } from '../src/reactions.ts'

const happened = {
  id: '7f1b4d52-0f0f-4c7e-8a53-0d4f2b0f7a11',
  stream: 'toy-1',
  type: 'Happened',
  data: {},
  metadata: {},
  revision: 0n,
  position: { commit: 1n, prepare: 1n },
  recordedAt: new Date(0),
}

const jobsFor = (jobs: readonly RequestedJob[]) => {
  const toy = { category: 'toy', events: { schemas: {}, upcasts: {} } }
  const reaction = { stream: toy, react: () => jobs, reactToDeletion: () => [] }
  const projection = reactionsOf([context({ name: 'toy', streams: [toy], reactions: [reaction] })])
  const rows = new Map<string, JobRow>()
  const table = { set: (id: string, row: JobRow) => rows.set(id, row) }
  projection.project(happened, { consequences: table as never })
  expect(projection.keys(happened)).toEqual({ consequences: [...rows.keys()] })
  return [...rows.values()]
}

test('one event leads to several jobs of a kind, one for each key, which is no part of what they are about', () => {
  const jobs = jobsFor([
    { kind: 'tell', key: 'a' },
    { kind: 'tell', key: 'b' },
  ])
  expect(jobs.map(({ kind, subject }) => ({ kind, subject }))).toEqual([
    { kind: 'tell', subject: '{}' },
    { kind: 'tell', subject: '{}' },
  ])
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(2)
  expect(jobsFor([{ kind: 'tell', key: 'b' }])[0]?.id).toBe(jobs[1]?.id)
})

// Ids of jobs are ids of commands: another id would have an event's consequences twice.
test('a job without a key keeps the id that it has always had', () => {
  expect(jobsFor([{ kind: 'tell' }])[0]?.id).toBe('ba503e84-18b3-5cf1-88ab-5245169ee6d2')
})
