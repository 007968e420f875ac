// Forwards commands to the services that decide them, and their answers back.
import { uuid } from '@headwater/deciders/fields'
import { commandHeaders, commandResponses } from '@headwater/http-kit/commands/command'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import type { ForwardedCommand } from './forwarded-command.ts'
import { answerWith, connectService, registerForwarded } from './forwarding.ts'

/** By the name of the service. */
export type ServiceUrls = Readonly<Record<string, string>>

const idParameter = z.object({ id: uuid })

/** @throws when a command's service has no address */
export const registerCommands = async (
  server: HttpServer,
  serviceUrls: ServiceUrls,
  commands: readonly ForwardedCommand[],
  { answerTimeoutMs }: { readonly answerTimeoutMs?: number | undefined } = {},
): Promise<void> => {
  const connected = new Map(
    Object.entries(serviceUrls).map(([name, url]) => [name, connectService(name, url, { answerTimeoutMs })]),
  )
  server.addHook('onClose', async () => {
    await Promise.all([...connected.values()].map((service) => service.close()))
  })

  await registerForwarded(server, (scope) => {
    for (const command of commands) {
      const { url, service: name, rules, summary, description, body, credential, begin, answered } = command
      const service = connected.get(name)
      if (!service) throw new Error(`The service ${name} has no address.`)
      const params = url.includes(':id') ? { params: idParameter } : {}
      const schema = { tags: [name], summary, description, headers: commandHeaders, body, ...params }
      scope.post(
        url,
        { config: { rules }, onRequest: begin ?? [], schema: { ...schema, response: commandResponses } },
        async (request, reply) => {
          const { id } = request.params as { readonly id?: string }
          const answer = await service.forward(request, credential(request.allowed, id)?.token)
          return answerWith(reply, (await answered?.(request, reply, answer)) ?? answer)
        },
      )
    }
  })
}
