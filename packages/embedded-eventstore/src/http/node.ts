// Describes the node: over HTTP/1.1 to tools and people, by gossip to clients that discover it.
import { randomUUID } from 'node:crypto'
import { message } from '../streams/replies.ts'
import { writeNested, writeString, writeU64 } from '../wire/wire.ts'
import { type Answer, type Asked, json, refusal } from './http.ts'

/** Client 6.2.1 decides by version which methods it calls. */
export const reportedVersion = '24.6.0'

export const gossip = 'event_store.client.gossip.Gossip'
export const operations = 'event_store.client.operations.Operations'

/** Where clients reach this node. */
export type EndPoint = { host: string; port: number }

// event_store.client.gossip.MemberInfo.VNodeState
const leader = 8
const pingMessageType = 1

const noContent: Answer = { status: 204 }

// EventStoreDB's probes choose the status by `?liveCode=200`.
const health = ({ query }: Asked): Answer => {
  const code = query.get('liveCode')
  if (code === null) return noContent
  if (!/^2\d\d$/.test(code)) throw refusal(400, 'liveCode is a status between 200 and 299.')
  return { status: Number(code) }
}

/** ClusterInfo with one member: its leader. */
export const encodeClusterInfo = (member: EndPoint & { instanceId: string; nowMs: number }): Buffer =>
  message((cluster) =>
    writeNested(cluster, 1, (writer) => {
      writeNested(writer, 1, (id) => writeString(id, 2, member.instanceId))
      writeU64(writer, 2, BigInt(member.nowMs) * 10_000n) // .NET ticks
      writer.uint32(3 << 3).int32(leader)
      writer.uint32(4 << 3).bool(true)
      writeNested(writer, 5, (address) => {
        writeString(address, 1, member.host)
        address.uint32(2 << 3).uint32(member.port)
      })
    }),
  )

export type Node = ReturnType<typeof createNode>

type Shown = { readonly authentication: 'insecure' | 'internal'; readonly projections: boolean }

export const createNode = (endPoint: () => EndPoint, { authentication, projections }: Shown) => {
  const instanceId = randomUUID()

  const members = (): Answer => {
    const { host, port } = endPoint()
    const member = {
      instanceId,
      timeStamp: new Date().toISOString(),
      state: 'Leader',
      isAlive: true,
      httpEndPointIp: host,
      httpEndPointPort: port,
    }
    return json({ members: [member], serverIp: host, serverPort: port })
  }

  const info = (): Answer =>
    json({
      esVersion: reportedVersion,
      state: 'leader',
      features: { projections, userManagement: false, atomPub: false },
      authentication: { type: authentication, properties: {} },
    })

  return {
    /** Serves the paths that need no credentials. */
    route: (asked: Asked): Answer | undefined => {
      if (asked.method !== 'GET' && asked.method !== 'HEAD') return undefined
      switch (asked.path.join('/')) {
        case 'ping':
          return json({ msgTypeId: pingMessageType, text: 'Ping request successfully handled' })
        case 'health/live':
          return health(asked)
        case 'gossip':
          return members()
        case 'info':
          return info()
        default:
          return undefined
      }
    },
    clusterInfo: (): Buffer => encodeClusterInfo({ instanceId, ...endPoint(), nowMs: Date.now() }),
  }
}
