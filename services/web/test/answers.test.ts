// What applicants type is read tolerantly, and refused with a sentence for the field.
import { describe, expect, test } from 'vitest'
import { checkAnswers } from '../app/loan/apply/answers.ts'

const answers = { name: 'Ada Lovelace', address: 'London', nationalId: '555555AA', amount: '10000' }
const check = (changed: Partial<typeof answers>) => checkAnswers({ ...answers, ...changed })

describe('amount', () => {
  test.each([
    '10000',
    '10,000',
    '10.000',
    '10 000',
    '10\u00a0000',
    '10\u202f000',
    "10'000",
    '10’000',
    '€10,000',
    '10.000 €',
    'EUR 10,000.00',
    '10.000,00 euros',
    '10.000,-',
    ' 10000.0 ',
  ])('%s is 10,000 euros', (amount) => {
    expect(check({ amount })).toMatchObject({ input: { amount: 10_000 } })
  })

  test.each(['10,50', '10.5', '1,00,0', '-5', '1e3', 'ten', '10 000 $', '0', '10000001'])('%s is none', (amount) => {
    expect(check({ amount })).toMatchObject({ errors: { amount: expect.stringMatching(/^Amount in euros: /) } })
  })
})

test.each(['555555aa', '555 555 AA', '555-555-AA', '555.555/aa '])('%s is a national id', (nationalId) => {
  expect(check({ nationalId })).toMatchObject({ input: { nationalId: '555555AA' } })
})

test('asks for each answer that is missing', () => {
  expect(check({ name: ' ', address: '', nationalId: '', amount: '' })).toEqual({
    errors: {
      name: 'Enter your full name',
      address: 'Enter your address',
      nationalId: 'Enter your national id',
      amount: 'Enter the amount you need',
    },
  })
})
