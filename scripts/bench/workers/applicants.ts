// Sends loan requests as fast as they are answered, each for a person of its own, and prints autocannon's result as JSON.
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { nationalIdOf } from '../load.ts'
import { peerFile } from '../peers.ts'

/** More than are sent in one: nobody applies twice. */
const peopleARound = 2_000_000

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    token: { type: 'string', default: '' },
    connections: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
    round: { type: 'string', default: '0' },
  },
})

let people = Number(values.round) * peopleARound

const body = () =>
  JSON.stringify({
    name: 'Ada Lovelace',
    address: '12 St James Square, London',
    nationalId: nationalIdOf(people++),
    amount: 10_000,
  })

const { default: autocannon } = await import(peerFile('autocannon', 'autocannon.js'))
const result = await autocannon({
  url: `${values.url}/api/loans`,
  connections: Number(values.connections),
  duration: Number(values.seconds),
  requests: [
    {
      method: 'POST',
      setupRequest: (request: object) => ({
        ...request,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${values.token}`,
          'idempotency-key': randomUUID(),
        },
        body: body(),
      }),
    },
  ],
})
process.stdout.write(JSON.stringify(result))
