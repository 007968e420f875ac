// Addresses that nobody outside can make us call, in all the ways in which they are written.
import { expect, test } from 'vitest'
import { isPublicAddress } from '../src/outbound/public-address.ts'

test.each(['93.184.215.14', '8.8.8.8', '172.15.255.255', '172.32.0.1', '100.63.255.255', '100.128.0.1'])(
  '%s is public',
  (address) => expect(isPublicAddress(address)).toBe(true),
)
test.each(['2606:2800:21f:cb07:6820:80da:af6b:8b2c', '2a00:1450:4001:80b::200e', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => expect(isPublicAddress(address)).toBe(true),
)

test.each([
  ['loopback', ['127.0.0.1', '127.255.255.254', '::1']],
  ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1']],
  ['link-local, where clouds keep their metadata', ['169.254.169.254', '169.254.0.1', 'fe80::1']],
  ['of a cloud itself', ['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254']],
  ['shared by customers of a provider', ['100.64.0.1', '100.127.255.255']],
  ['unique local', ['fc00::1', 'fd12:3456:789a::1']],
  ['multicast and broadcast', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1']],
  ['nowhere', ['0.0.0.0', '0.1.2.3', '::', '240.0.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1']],
  ['IPv4 in IPv6', ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '::7f00:1']],
  ['translated or tunnelled', ['64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001::1']],
  ['of the past, of documents', ['fec0::1', '2001:db8::1', '100::1']],
  ['no address', ['localhost', '', '127.0.0.1.example.com']],
])('%s: no', (_range, addresses) => {
  expect(addresses.filter(isPublicAddress)).toEqual([])
})
