// Fills an embedded event store with consents from inside, before it serves.
import { randomBytes } from 'node:crypto'
import { openStore } from '../../../packages/embedded-eventstore/src/store/store.ts'
import { serveTasks } from '../worker.ts'

/** Less than what the store lets wait. */
const appendsAtOnceMax = 1_000
const grantedAt = '2026-01-01T00:00:00.000Z'

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** Of so many events in a row every second grants, and the next one takes back. */
const event = (patientId: string, doctor: string, n: number) => {
  const other = { kind: 'doctor', id: doctor }
  const grants = n % 2 === 0
  return {
    id: randomBytes(16),
    type: grants ? 'ConsentGranted' : 'ConsentRevoked',
    contentType: 'application/json',
    customMetadata: json({ commandId: randomBytes(16).toString('hex'), requestHash: 'a'.repeat(64), actor: patientId }),
    data: grants
      ? json({ patientId, to: other, target: 'exams', until: null, grantedAt })
      : json({ patientId, from: other, target: 'exams', revokedAt: grantedAt }),
  }
}

const tasks = {
  /** One consent each of `patients`, and histories of one patient each, as long as `histories` says. */
  fill: async ({
    directory,
    patients,
    histories,
  }: {
    readonly directory: string
    readonly patients: number
    readonly histories: readonly number[]
  }): Promise<void> => {
    const store = openStore(directory)
    const append = (patientId: string, events: ReturnType<typeof event>[]) => {
      const request = {
        kind: 'append' as const,
        streamName: `patient-${patientId}`,
        expected: 'no stream' as const,
        events,
        deadlineAtMs: Number.POSITIVE_INFINITY,
        bytes: events.length,
      }
      return new Promise<void>((resolve, reject) => {
        store.write(request, ({ kind }) => (kind === 'success' ? resolve() : reject(new Error(`An append: ${kind}.`))))
      })
    }
    for (let from = 0; from < patients; from += appendsAtOnceMax)
      await Promise.all(
        Array.from({ length: Math.min(appendsAtOnceMax, patients - from) }, (_, n) =>
          append(`patient-${from + n}`, [event(`patient-${from + n}`, `doctor-${(from + n) % 10}`, 0)]),
        ),
      )
    for (const length of histories)
      await append(
        `long-${length}`,
        Array.from({ length }, (_, n) => event(`long-${length}`, `doctor-${n >> 1}`, n)),
      )
    store.finish()
    store.close()
  },
}
export type ConsentStoreTasks = typeof tasks

serveTasks(tasks)
