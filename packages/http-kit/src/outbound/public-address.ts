// Which addresses may be called because somebody outside says so: those of the open Internet, and nothing of ours.
import ipaddr from 'ipaddr.js'

/** Of all IPv6 addresses only these are given to hosts on the Internet (RFC 4291, IANA). */
const globalUnicast = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number]

/** Looks like any other, but is every Azure machine's way to its own cloud. */
const cloudInternal = ['168.63.129.16']

/** Loopback, private, link-local (where clouds keep credentials), shared, reserved, multicast, translated ones: all no. */
export const isPublicAddress = (text: string): boolean => {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text) // an IPv4 address written as IPv6 is taken for what it is
  if (address.range() !== 'unicast' || cloudInternal.includes(address.toString())) return false
  return address instanceof ipaddr.IPv4 || address.match(globalUnicast)
}
