// The cursor of a list by instant and ID, as a query names it.
import { validationProblem } from '@headwater/http-kit/commands/problem'
import { type Cursor, parseCursor } from '@headwater/projections/model/cursor'

/** Where the page begins that a query asks for. @throws Problem 422 for a cursor of another API */
export const cursorOf = (text: string | undefined): Cursor | undefined => {
  const cursor = text === undefined ? undefined : parseCursor(text)
  if (text !== undefined && !cursor) throw validationProblem([{ field: 'cursor', message: 'a `next` of this API' }])
  return cursor
}
