// Sends loan requests as fast as they are answered, each for a person of its own, and prints autocannon's result as JSON.
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { peerFile } from '../peers.ts'

/** Persons a pair of letters, and pairs a round: nobody applies twice. */
const serialsMax = 100_000
const pairsPerRound = 20
const letters = 26

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    token: { type: 'string', default: '' },
    connections: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
    round: { type: 'string', default: '0' },
  },
})

let people = 0

const nationalId = (): string => {
  const serial = people++
  const pair = Number(values.round) * pairsPerRound + Math.floor(serial / serialsMax)
  const pairText = String.fromCharCode(65 + (Math.floor(pair / letters) % letters), 65 + (pair % letters))
  return `5${String(serial % serialsMax).padStart(5, '0')}${pairText}`
}

const body = () =>
  JSON.stringify({
    name: 'Ada Lovelace',
    address: '12 St James Square, London',
    nationalId: nationalId(),
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
