// The credit bureau's stand-in: the score is the first digit of the national id, and it can be told to misbehave.
import type { ServerResponse } from 'node:http'
import { reference } from '@headwater/deciders/fields'
import { nationalId } from '@headwater/deciders/loan/loan'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'

const behaviour = z.strictObject({
  mode: z.enum(['normal', 'slow', 'failing', 'garbage']),
  delayMs: z.int().min(0).max(60_000).optional().meta({ description: 'Before each answer, in any mode.' }),
})

type Behaviour = z.infer<typeof behaviour>

const delayMsByMode: Readonly<Record<Behaviour['mode'], number>> = {
  normal: 100,
  slow: 10_000,
  failing: 100,
  garbage: 100,
}

/** What a gateway in between shows when the bureau behind it is gone. */
const garbage = '<html><body>It works!</body></html>'
const keyLengthMax = 255
const answersKeptMax = 10_000

type Answer = { readonly score: number; readonly checkedAt: string }

const scoreOf = (nationalId: string): number => Number(nationalId[0]) || 10

/** Resolves after `delayMs`, or at once when whoever waits for the answer has gone. */
const pause = (delayMs: number, answer: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs)
    answer.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })

export const registerCreditBureau = (server: HttpServer): void => {
  let { mode, delayMs }: Behaviour = { mode: 'normal' }
  const answers = new Map<string, Answer>()

  /** A repeated key is answered as it was the first time. */
  const answerTo = (key: string, nationalId: string): Answer => {
    const answer = answers.get(key) ?? { score: scoreOf(nationalId), checkedAt: new Date().toISOString() }
    answers.set(key, answer)
    const [oldest] = answers.keys()
    if (answers.size > answersKeptMax && oldest !== undefined) answers.delete(oldest)
    return answer
  }

  server.put(
    '/v1/behaviour',
    { schema: { summary: 'Tell the credit bureau how to behave', body: behaviour, response: { 200: behaviour } } },
    async (request) => {
      ;({ mode, delayMs } = request.body)
      return request.body
    },
  )

  server.post(
    '/v1/scores',
    {
      schema: {
        summary: 'Score a person',
        headers: z.looseObject({ 'idempotency-key': reference(keyLengthMax) }),
        body: z.strictObject({ nationalId }),
      },
    },
    async (request, reply) => {
      await pause(delayMs ?? delayMsByMode[mode], reply.raw)
      if (mode === 'failing') throw new Problem(500, 'out_of_order', 'The credit bureau is out of order.')
      if (mode === 'garbage') return reply.type('text/html').send(garbage)
      return answerTo(`${request.headers['idempotency-key']} ${request.body.nationalId}`, request.body.nationalId)
    },
  )
}
