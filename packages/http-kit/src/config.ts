// Reads a service's settings from the environment once, and names every variable that is wrong.
import { z } from 'zod'

const portMax = 65_535

/** What every HTTP service can be told; `port` is the one it listens on when it is told nothing. */
export const serverSettings = (port: number) => ({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(portMax).default(port),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

/** Of services that write down what people are refused and look at. */
export const auditSettings = {
  /** How long the store keeps that, in days: a year, and what an auditor is late. */
  AUDIT_DAYS: z.coerce.number().int().min(1).default(400),
}

/** The environment does not describe a service that can run; the message has a line a variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** @throws ConfigError */
export const parseConfig = <Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> => {
  // An empty variable is how compose files and shells say "not set".
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(set)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'))
}

/** The configuration for `main.ts`: a wrong environment ends the process with what to correct. */
export const loadConfig = <Schema extends z.ZodType>(schema: Schema): z.output<Schema> => {
  try {
    return parseConfig(schema, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`The environment is not right:\n${error.message}\n`)
    process.exit(1)
  }
}
