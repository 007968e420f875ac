// Refuses bodies that are not UTF-8: decoding would replace bytes, and spoilt text would be stored.
import { isUtf8 } from 'node:buffer'
import { Problem } from '../commands/problem.ts'

const percentEncoded = /(?:%[\da-f]{2})+/gi

const notUtf8 = () => new Problem(400, 'bad_request', 'The body is not UTF-8.')

/** @throws Problem 400 */
export const refuseOtherThanUtf8 = (body: Buffer): void => {
  if (!isUtf8(body)) throw notUtf8()
}

/** The fields of a form, `application/x-www-form-urlencoded`. @throws Problem 400 */
export const formFields = (body: Buffer): URLSearchParams => {
  refuseOtherThanUtf8(body)
  const text = body.toString()
  try {
    for (const [encoded] of text.matchAll(percentEncoded)) decodeURIComponent(encoded)
  } catch {
    throw notUtf8()
  }
  return new URLSearchParams(text)
}
