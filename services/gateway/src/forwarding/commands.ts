// Forwards commands to the services that decide them, and their answers back.
import { paramsOf } from '@headwater/deciders/api'
import type { Context } from '@headwater/deciders/context'
import type { Allowed } from '@headwater/http-kit/access/access'
import { commandHeaders, commandResponses } from '@headwater/http-kit/commands/command'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Forwardings } from './forwarded-command.ts'
import { answerWith, connectService, registerForwarded } from './forwarding.ts'

/** By the name of the service. */
export type ServiceUrls = Readonly<Record<string, string>>

/** Where one credential is as good as another. */
const firstAllowed = ([first]: readonly Allowed[]) => first

/** @throws when a context's service has no address */
export const forwardCommands = async (
  server: HttpServer,
  serviceUrls: ServiceUrls,
  contexts: readonly Context[],
  forwardings: Forwardings,
  { answerTimeoutMs }: { readonly answerTimeoutMs?: number | undefined } = {},
): Promise<void> => {
  for (const { service, api } of contexts) {
    if (!service || !api) continue
    const url = serviceUrls[service.name]
    if (url === undefined) throw new Error(`The service ${service.name} has no address.`)
    const { forward, close } = connectService(service.name, url, { answerTimeoutMs })
    server.addHook('onClose', close)
    await registerForwarded(server, (scope) => {
      for (const [name, command] of Object.entries(api.commands)) {
        if (command.internal) continue
        const { path, rules, summary, description = '', input: body } = command
        const { credential = firstAllowed, begin, answered } = forwardings[name] ?? {}
        const params = paramsOf(command)
        const schema = { tags: [service.name], summary, description, headers: commandHeaders, body }
        scope.post(
          path,
          {
            config: { rules },
            onRequest: begin ?? [],
            schema: { ...schema, ...(params && { params }), response: commandResponses },
          },
          async (request, reply) => {
            const { id } = request.params as { readonly id?: string }
            const answer = await forward(request, credential(request.allowed, id)?.token)
            return answerWith(reply, (await answered?.(request, reply, answer)) ?? answer)
          },
        )
      }
    })
  }
}
