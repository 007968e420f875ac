// The jobs service as a process: wiring only. Of several, one follows the events and the others stand by; all run jobs.

import { contexts } from '@headwater/deciders/contexts'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { bearerCredentials, createAuthenticator } from '@headwater/http-kit/access/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { connectMailer } from '@headwater/http-kit/outbound/mailer'
import { openWebhookSender } from '@headwater/http-kit/outbound/webhook-sender'
import { createHealth } from '@headwater/http-kit/server/health'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createServer } from '@headwater/http-kit/server/server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openDatabase } from '@headwater/jobs/database'
import { openLedger } from '@headwater/jobs/ledger/ledger'
import { processesOf, runProcessJob, runProcessTask } from '@headwater/jobs/processes/processes'
import { createProcessRunner } from '@headwater/jobs/processes/run-process'
import { reactionsOf } from '@headwater/jobs/reactions'
import { registerRoutes } from '@headwater/jobs/routes'
import { startSchedules } from '@headwater/jobs/schedules'
import { jobsOf, openConsequencesSink } from '@headwater/jobs/sink'
import { trackedTasks } from '@headwater/jobs/tracked-tasks'
import { startWorker } from '@headwater/jobs/worker'
import { startProjection } from '@headwater/projections/run/projection'
import { measureProjections, projectionStatus } from '@headwater/projections/run/projection-status'
import { connectCreditBureau } from '@headwater/third-parties/loan/credit-bureau'
import { config } from './config.ts'
import { createConsentTasks } from './consent/tasks.ts'
import { createLoanTasks } from './loan/tasks.ts'
import { createDeliver } from './loan/webhooks/deliver.ts'
import { deliverJob, openDeliveries } from './loan/webhooks/deliveries.ts'
import { openRegistry } from './loan/webhooks/registry.ts'
import { registerWebhookRoutes } from './loan/webhooks/routes.ts'
import { createSecrets } from './loan/webhooks/secrets.ts'

const jobs = { jobsAtOnceMax: 8, pollEveryMs: 500 }
/**
 * Each goes to another webhook, and many may be slow to answer, so that each of many polls. A webhook that was away is not
 * met by a crowd when it comes back: its retries may be far apart.
 */
const deliveryWorker = { jobsAtOnceMax: 32, pollEveryMs: 2_000, retryDelayMsMax: 10 * 60_000 }

/** The bureau is asked again; a clock is behind; a process waits. */
const transientRejections = ['credit_bureau_unavailable', 'consent_not_due', 'process_waiting']

const settings = loadConfig(config)
const reactions = reactionsOf(contexts)
const logger = createLogger({ service: 'jobs', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const bureau = connectCreditBureau({ url: settings.CREDIT_BUREAU_URL, logger })
const authenticator = createAuthenticator(settings, logger)
const database = openDatabase(settings.DATABASE_URL, logger)
const ledger = openLedger(database.pool)
const runner = createProcessRunner({ store, logger })
const processes = processesOf(contexts, runner)
/** Of a release whose contexts have processes. */
const processFollower =
  processes.kinds.length > 0
    ? startProjection({
        store,
        sink: openConsequencesSink({ ...processes, ...database, store, logger }),
        projection: processes.projection,
        logger,
      })
    : undefined
const applicantIdOf = (nationalId: string) => keyedId(settings.APPLICANT_KEY, nationalId)
const deliveries = openDeliveries(database.pool, settings.WEBHOOK_GIVE_UP_AFTER_HOURS)
const secrets = createSecrets(settings.WEBHOOK_KEY)
const sender = openWebhookSender({ allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE !== undefined })
const mailer = connectMailer({ url: settings.SMTP_URL, from: settings.MAIL_FROM, logger })
const tasks = {
  ...createLoanTasks({ store, bureau, applicantIdOf, deliveries, ledger, logger }),
  [runProcessJob]: runProcessTask(contexts, runner),
  ...createConsentTasks({ store, mailer, ledger, publicUrl: settings.PUBLIC_URL, logger }),
}
const follower = startProjection({
  store,
  sink: openConsequencesSink({ ...jobsOf(reactions, Object.keys(tasks)), ...database, store, logger }),
  projection: reactions,
  logger,
})
const worker = startWorker({
  database,
  tasks: trackedTasks(tasks, ledger, logger, transientRejections),
  ...jobs,
  logger,
})
const schedules = startSchedules({
  ...database,
  schedules: contexts.flatMap(({ schedules = [] }) => schedules),
  logger,
})
const deliverer = startWorker({
  database,
  tasks: { [deliverJob]: createDeliver({ deliveries, secrets, sender, logger }) },
  ...deliveryWorker,
  logger,
})

const parked = async () => {
  const count = await ledger.parkedCount()
  return { count, trouble: count > 0 ? 'Jobs failed for good; GET /parked-jobs says which and why.' : undefined }
}
const bureauStatus = () => ({ trouble: bureau.isGivenUp() ? 'It fails; it is asked again in a moment.' : undefined })
const metrics = createMetrics()
const followers = { [reactions.name]: follower, ...(processFollower && { [processes.name]: processFollower }) }
measureProjections(metrics.gauge, followers)
const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
metrics.gauge('jobs_parked', 'Jobs that failed for good and wait for an operator.', async () => [
  { value: await ledger.parkedCount() },
])
metrics.gauge('webhook_deliveries', 'Messages to webhooks that have not arrived.', async () => {
  const { waiting, parked } = await deliveries.counts()
  return [
    { value: waiting, labels: { state: 'waiting' } },
    { value: parked, labels: { state: 'parked' } },
  ]
})
const server = await createServer({
  title: 'Headwater jobs',
  description: 'Does what follows from events: now, later, and with third parties.',
  logger,
  health: createHealth(
    {
      follower: projectionStatus(follower),
      ...(processFollower && { processes: projectionStatus(processFollower) }),
      worker: () => ({ trouble: worker.trouble() ?? deliverer.trouble() }),
    },
    { 'parked jobs': parked, 'credit bureau': bureauStatus, issuer: authenticator.status },
  ),
  metrics,
  credentialsOf: bearerCredentials(authenticator),
  onRefused: audit.refused,
  onDone: audit.done,
})
registerRoutes(server, ledger)
registerWebhookRoutes(server, { registry: openRegistry(database.pool), deliveries, secrets, sender })
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  // Whoever is slow to answer is not waited for: what is on its way is sent again.
  await sender.close()
  await Promise.all([
    follower.stop(),
    processFollower?.stop(),
    schedules.stop(),
    worker.stop(),
    deliverer.stop(),
    audit.stop(),
  ])
  mailer.close()
  await Promise.all([store.close(), bureau.close(), database.pool.end()])
})
