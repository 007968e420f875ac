// Our codec and the client's published generated code agree on every message, in both directions.
import fc from 'fast-check'
import { test } from 'vitest'
import { answers } from './codec/answers.ts'
import { nodeAnswers } from './codec/node-answers.ts'
import { persistentAnswers } from './codec/persistent-answers.ts'
import { persistentRequests } from './codec/persistent-requests.ts'
import { projections } from './codec/projections.ts'
import { readRequests } from './codec/read-requests.ts'
import { writeRequests } from './codec/write-requests.ts'

const messages = Number(process.env.CODEC_MESSAGES ?? 150)

const messagesOfServices = [
  ...readRequests,
  ...writeRequests,
  ...answers,
  ...persistentRequests,
  ...persistentAnswers,
  ...nodeAnswers,
  ...projections,
]

test.each(messagesOfServices)('both codecs agree on $name', ({ property }) => {
  fc.assert(property, { numRuns: messages })
})
