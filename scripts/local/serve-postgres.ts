// A PostgreSQL for `npm start`, as a process that can be supervised: it ends when the server does, and stops it when told.
import { startPostgres } from '@headwater/test-kit/local-postgres'

const { POSTGRES_DIRECTORY = '.data/postgres', POSTGRES_PORT } = process.env

const postgres = await startPostgres({ dataDir: POSTGRES_DIRECTORY, port: Number(POSTGRES_PORT), durable: true })
process.stdout.write(`listening at ${postgres.url}\n`)
process.once('SIGTERM', postgres.stop)
await postgres.ended
