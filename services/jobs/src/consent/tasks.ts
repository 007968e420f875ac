// What the jobs of consents do: write down that a consent is over, and tell a patient that somebody asks.
import { granteeStateOf } from '@headwater/deciders/consent/patient-state'
import { isAsked } from '@headwater/deciders/consent/permissions'
import type { ConsentJob } from '@headwater/deciders/consent/reactions'
import { patientStream } from '@headwater/deciders/consent/streams'
import type { EventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler, smallCacheWeightMax } from '@headwater/eventstore/commands/handle-command'
import { readState } from '@headwater/eventstore/commands/read-known'
import type { Mailer } from '@headwater/http-kit/outbound/mailer'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Ledger } from '@headwater/jobs/ledger/ledger'
import { originOf, type Task, triesMaxDefault } from '@headwater/jobs/task'
import { sendAtMostTwice } from './send-at-most-twice.ts'

const mailTriesMax = 3

type ConsentTasks = {
  readonly [Kind in ConsentJob['kind']]: Task<Extract<ConsentJob, { readonly kind: Kind }>>
}

export type ConsentTasksOptions = {
  readonly store: EventStore
  readonly mailer: Mailer
  readonly ledger: Pick<Ledger, 'beginSend' | 'notSent'>
  /** Where people find us. */
  readonly publicUrl: string
  readonly logger: Logger
}

export const createConsentTasks = (options: ConsentTasksOptions): ConsentTasks => {
  const { store, mailer, ledger, publicUrl, logger } = options
  const patients = createCommandHandler({
    store,
    stream: patientStream,
    cacheWeightMax: smallCacheWeightMax,
    logger,
  })

  return {
    'expire consent': {
      triesMax: triesMaxDefault,
      run: async (job) => {
        const { patientId, from, target, until } = job
        // Clocks differ: one that is behind is a little early, and tries again.
        const at = new Date().toISOString()
        const command = { type: 'ExpireConsent', data: { patientId, from, target, until, at } } as const
        await patients.handle({ ...originOf(job), id: patientId, command })
      },
    },

    'mail consent asked': {
      triesMax: mailTriesMax,
      run: async (job) => {
        const { id, patientId, by, target } = job
        const state = await readState(store, patientStream, patientId)
        // Answered meanwhile, or nobody to tell: there is an address once the patient has signed in.
        if (state.email === null || !isAsked(granteeStateOf(state, by), target)) return
        const to = state.email
        await sendAtMostTwice(ledger, id, () =>
          mailer.send({
            id,
            to,
            subject: 'Somebody asks to see your health record',
            // Mails are read by whoever comes by: who asks, for what and why is told to who has signed in.
            text: `A ${by.kind} asks to see a part of your health record.\n\nSee who it is, and answer:\n${new URL('/consents', publicUrl)}\n`,
          }),
        )
      },
    },
  }
}
