// A credit bureau for tests, which can be told to misbehave: the sandbox itself.
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { createSandbox } from '../../../services/sandbox/src/sandbox.ts'

export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

export const startBureau = async (atEnd: (end: () => Promise<void>) => void = onTestFinished) => {
  const sandbox = await createSandbox(logger)
  atEnd(async () => sandbox.close())
  const behave = async (mode: 'normal' | 'slow' | 'failing' | 'garbage', delayMs = 0) => {
    await sandbox.inject({ method: 'PUT', url: '/v1/behaviour', payload: { mode, delayMs } })
  }
  await behave('normal')
  return { url: await sandbox.listen({ host: '127.0.0.1', port: 0 }), behave }
}
