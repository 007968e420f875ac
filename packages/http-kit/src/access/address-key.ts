// What is counted as one address, where something is limited by address.
import ipaddr from 'ipaddr.js'

/** Whoever has an IPv6 address has all those that begin like it. */
const ipv6PrefixBytes = 8

export const addressKey = (address: string): string => {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address) // an IPv4 address in IPv6 clothes is an IPv4 address
  const bytes = parsed.toByteArray()
  return (parsed.kind() === 'ipv6' ? bytes.slice(0, ipv6PrefixBytes) : bytes).join('.')
}
