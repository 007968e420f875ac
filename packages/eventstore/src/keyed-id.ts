// Ids for streams about what must not be readable in their names: the same for who has the key, nothing to anybody else.
import { createHmac } from 'node:crypto'

/** Too short a key could be found by trying. */
export const keyLengthMin = 32

/** The id of whatever `secret` names, such as a person by a national id. Another key is another set of streams. */
export const keyedId = (key: string, secret: string): string => createHmac('sha256', key).update(secret).digest('hex')
