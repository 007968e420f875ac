// Where the API tells operators of what runs: asked by the server for the page, and by the page again and again.
export const operationsPath = '/api/operations'
export const parkedPath = '/api/operations/parked'
