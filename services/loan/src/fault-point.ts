// For tests of crashes: the process ends or stops itself at a named step of applying. Production refuses to start with it.
import { z } from 'zod'

/** What has been done when the step is reached. */
const applySteps = ['reserved', 'scored', 'requested'] as const
export type ApplyStep = (typeof applySteps)[number]

export const faultPoint = z.templateLiteral([z.enum(applySteps), ':', z.enum(['SIGKILL', 'SIGSTOP'])])

/** Does to the process what `fault` says, when its step is reached. */
export const faultAt =
  (fault: z.infer<typeof faultPoint> | undefined) =>
  (step: ApplyStep): void => {
    const [faulty, signal] = fault?.split(':') ?? []
    if (step === faulty) process.kill(process.pid, signal as NodeJS.Signals)
  }

export const refuseFaultsInProduction = z.refine<{ NODE_ENV?: string | undefined; FAULT_POINT?: string | undefined }>(
  (config) => config.NODE_ENV !== 'production' || config.FAULT_POINT === undefined,
  { path: ['FAULT_POINT'], message: 'must not be set in production' },
)
