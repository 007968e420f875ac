// A Fastify server as every Headwater service has it: limits, headers, zod validation, OpenAPI, health, one error boundary.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { fastifySwagger } from '@fastify/swagger'
import { type FastifyInstance, type FastifyReply, fastify, LogController, type RawServerDefault } from 'fastify'
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { access, publicRoute } from '../access/access.ts'
import type { CredentialsOf } from '../access/auth.ts'
import { doneOf, type Operation, type Refusal, refusalOf } from '../access/refusals.ts'
import { Problem, type ProblemBody, problem, type RejectionStatuses } from '../commands/problem.ts'
import { httpMetrics } from '../telemetry/http-metrics.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import { type Logger, nextTraceparent } from '../telemetry/telemetry.ts'
import { type Health, healthRoutes } from './health.ts'
import { type Accepted, securitySchemes, withSecurity } from './openapi-security.ts'
import { type ContentSecurityPolicy, securityHeaders } from './security-headers.ts'
import { endSlowBodies } from './slow-bodies.ts'
import { trackUnusedConnections } from './unused-connections.ts'
import { refuseOtherThanUtf8 } from './utf8.ts'
import { refuseFreeText, validatorCompiler } from './validation.ts'

const bodyBytesMax = 64 * 1024
const headerBytesMax = 16 * 1024
/** For a request to arrive whole: a client that sends a byte now and then holds no connection for ever. */
const requestTimeoutMs = 10_000
/** How often slow clients are looked for; Node would take half a minute. */
const slowClientsEveryMs = 1_000
/** Longer than proxies keep idle connections, so that none reuses one that is being closed here. */
const keepAliveTimeoutMs = 72_000
const retryAfterSeconds = 1

const apiVersion = '1'
const nothing = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] }
const problemJson = 'application/problem+json'

export type HttpServer = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, Logger, ZodTypeProvider>

export type ServerOptions = {
  readonly title: string
  readonly description: string
  readonly logger: Logger
  readonly health: Health
  /** What the service measures besides HTTP; `/metrics` shows it. */
  readonly metrics?: Metrics
  /** HTTP statuses of the rejection codes of the service's contexts; 409 where it names none. */
  readonly statuses?: RejectionStatuses
  /** Who sends a request. Every route then says in its `config` whom it serves. */
  readonly credentialsOf?: CredentialsOf
  /** Told of every refusal of somebody who is known; what is malformed, or from nobody, only counts in the metrics. */
  readonly onRefused?: ((refusal: Refusal) => void) | undefined
  /** Told of what was done at routes that say in their `config` that nothing else tells of it. */
  readonly onDone?: ((operation: Operation) => void) | undefined
  /** What those credentials can be, for the API's description. */
  readonly accepted?: Accepted
  /** What pages may load; a server without pages allows nothing. */
  readonly contentSecurityPolicy?: ContentSecurityPolicy
  /** Addresses and networks, separated by commas, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: string | undefined
}

const sendProblem = (reply: FastifyReply, body: ProblemBody): FastifyReply => {
  if (body.status === 401)
    reply.header('www-authenticate', body.code === 'invalid_token' ? 'Bearer error="invalid_token"' : 'Bearer')
  const mayComeBack = body.status === 503 || body.status === 429
  if (mayComeBack && !reply.hasHeader('retry-after')) reply.header('retry-after', retryAfterSeconds)
  return reply.status(body.status).type(problemJson).send(JSON.stringify(body))
}

/** Answers what is not HTTP enough to become a request: too slow, too long a header, not parsable. */
const refuseConnection = (error: Error & { code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400
  const refused = problem(
    Object.assign(new Error('This is not a request that can be read.'), { statusCode: status }),
    {},
  )
  const body = JSON.stringify(refused)
  const head = [`HTTP/1.1 ${status} ${refused.title}`, 'connection: close', `content-type: ${problemJson}`]
  socket.end([...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}

/** The server without routes of its own; `/openapi.json` describes those that are added. */
export const createServer = async (options: ServerOptions): Promise<HttpServer> => {
  const {
    title,
    description,
    logger,
    health,
    metrics = createMetrics(),
    statuses = {},
    contentSecurityPolicy = nothing,
    credentialsOf,
    onRefused,
    onDone,
    accepted = {},
    trustedProxies = false,
  } = options

  const countProblem = metrics.counter('http_problems_total', 'Requests that were refused or failed, by code.')

  const server: HttpServer = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'traceparent' }),
    // The request's id is the `traceparent` to send on, so that logs, events and calls of one request share its trace.
    genReqId: (request) => nextTraceparent(request.headers.traceparent),
    trustProxy: trustedProxies,
    bodyLimit: bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { maxHeaderSize: headerBytesMax, connectionsCheckingInterval: slowClientsEveryMs },
    // While closing, requests on open connections are still served; new connections are not accepted.
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => sendProblem(reply, problem(error, statuses)),
  }).withTypeProvider<ZodTypeProvider>()

  const closeUnusedConnections = trackUnusedConnections(server.server)
  server.addHook('preClose', async () => closeUnusedConnections())
  endSlowBodies(server.server, requestTimeoutMs)
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  const parseJson = server.getDefaultJsonParser('error', 'error')
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    try {
      refuseOtherThanUtf8(body)
    } catch (error) {
      return done(error as Error)
    }
    void parseJson(request, body.toString(), done)
  })
  server.addHook('onRoute', refuseFreeText)
  server.setNotFoundHandler(() => {
    throw new Problem(404, 'not_found', 'There is nothing at this address.')
  })
  server.setErrorHandler((error, request, reply) => {
    const body = problem(error, statuses)
    countProblem({ route: request.routeOptions.url ?? 'none', code: body.code })
    const refusal = refusalOf(request, body)
    if (refusal) onRefused?.(refusal)
    if (body.status >= 500) request.log.error({ err: error, code: body.code }, body.detail)
    return sendProblem(reply, body)
  })
  server.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    const { statusCode: status, elapsedTime: elapsedMs } = reply
    request.log.debug({ method, route: routeOptions.url, status, elapsedMs }, 'answered')
    const done = doneOf(request, reply)
    if (done) onDone?.(done)
  })

  const careful = securityHeaders(contentSecurityPolicy)
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(careful)
    done()
  })
  await server.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, description, version: apiVersion },
      ...(credentialsOf && { components: { securitySchemes: securitySchemes(accepted) } }),
    },
    transform: (described) => {
      const { schema, route } = described
      const { rules, isUnlimited } = route.config ?? {}
      const limitsPartners = accepted.limitsPartners && !isUnlimited
      return jsonSchemaTransform(
        rules && schema
          ? { ...described, schema: withSecurity(schema, rules, { ...accepted, limitsPartners }) }
          : described,
      )
    },
    transformObject: jsonSchemaTransformObject,
  })
  if (credentialsOf) await server.register(access(credentialsOf))
  server.get('/openapi.json', { config: publicRoute, schema: { hide: true } }, async () => server.swagger())
  await server.register(healthRoutes(health))
  await server.register(httpMetrics(metrics))
  return server
}
