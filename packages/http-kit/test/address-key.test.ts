// Which addresses are counted as one.
import { expect, test } from 'vitest'
import { addressKey } from '../src/access/address-key.ts'

test('counts an IPv4 address by itself, and an IPv6 address with its network', () => {
  expect(addressKey('192.0.2.1')).not.toBe(addressKey('192.0.2.2'))
  expect(addressKey('::ffff:192.0.2.1')).toBe(addressKey('192.0.2.1'))
  expect(addressKey('2001:db8:1:2::1')).toBe(addressKey('2001:db8:1:2:ffff::9'))
  expect(addressKey('2001:db8:1:2::1')).not.toBe(addressKey('2001:db8:1:3::1'))
  expect(addressKey('nonsense')).toBe('nonsense')
})
