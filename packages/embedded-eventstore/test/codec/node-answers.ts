// Answers of the Gossip service, read by the client's generated code.
import gossipPb from '@eventstore/db-client/generated/gossip_pb.js'
import fc from 'fast-check'
import { encodeClusterInfo } from '../../src/http/node.ts'
import { answer, type Entry } from './entry.ts'
import { text, toUuid } from './values.ts'

const { ClusterInfo, EndPoint, MemberInfo } = gossipPb

const clusterInfo = answer({
  name: 'ClusterInfo',
  values: fc.record({
    instanceId: fc.uuid(),
    host: text.filter((host) => host !== ''),
    port: fc.integer({ min: 1, max: 65_535 }),
    nowMs: fc.integer({ min: 1, max: 2 ** 48 }),
  }),
  encode: encodeClusterInfo,
  decode: ClusterInfo.deserializeBinary,
  expected: ({ instanceId, host, port, nowMs }) => {
    const member = new MemberInfo()
    member.setInstanceId(toUuid({ form: 'string', text: instanceId }))
    member.setTimeStamp(String(BigInt(nowMs) * 10_000n))
    member.setState(MemberInfo.VNodeState.LEADER)
    member.setIsAlive(true)
    member.setHttpEndPoint(new EndPoint().setAddress(host).setPort(port))
    return new ClusterInfo().setMembersList([member])
  },
})

export const nodeAnswers: Entry[] = [clusterInfo]
