// Sends something outside that cannot be taken back: again when it is not known whether it went, but never a third time.
import { NotSent } from '@headwater/http-kit/outbound/mailer'
import type { Ledger } from '@headwater/jobs/ledger/ledger'

/** It was begun twice and never known to have gone: an operator has to look. */
class MayHaveGoneTwice extends Error {
  override readonly name = 'MayHaveGoneTwice'
}

/**
 * Written down before it goes: whoever dies between sending and recording has left a note.
 * @throws what `send` throws, and an error when it may have gone twice already
 */
export const sendAtMostTwice = async (
  ledger: Pick<Ledger, 'beginSend' | 'notSent'>,
  jobId: string,
  send: () => Promise<void>,
): Promise<void> => {
  if (!(await ledger.beginSend(jobId))) throw new MayHaveGoneTwice('It may have been sent twice and is not sent again.')
  try {
    await send()
  } catch (error) {
    if (error instanceof NotSent) await ledger.notSent(jobId)
    throw error
  }
}
