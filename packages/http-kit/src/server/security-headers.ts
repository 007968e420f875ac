// The headers that keep browsers careful, on every answer: what helmet says, asked once, since it says the same each time.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import helmet from 'helmet'

export type ContentSecurityPolicy = Readonly<Record<string, string[]>>

export const securityHeaders = (directives: ContentSecurityPolicy): Readonly<Record<string, string>> => {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  helmet({ contentSecurityPolicy: { useDefaults: false, directives } })(request, response, (error) => {
    if (error) throw error
  })
  return Object.fromEntries(Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]))
}
