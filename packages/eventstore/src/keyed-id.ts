// IDs for streams whose names must not reveal their subject: they can be computed only with the key.
import { createHmac } from 'node:crypto'

/** A shorter key could be guessed. */
export const keyLengthMin = 32

/** The ID for a secret, such as a national ID. Another key leads to other streams. */
export const keyedId = (key: string, secret: string): string => createHmac('sha256', key).update(secret).digest('hex')
