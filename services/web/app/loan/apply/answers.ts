// What an applicant types, read tolerantly, and what is not right about it: the same in the browser and on the server.
import { requestLoanInput } from '@headwater/deciders/loan/loan'
import type { z } from 'zod'

export const questions = [
  { name: 'name', label: 'Full name', missing: 'Enter your full name', hint: 'As it is on your identity card.' },
  { name: 'address', label: 'Address', missing: 'Enter your address', hint: 'Street, number, postcode and town.' },
  {
    name: 'nationalId',
    label: 'National id',
    missing: 'Enter your national id',
    hint: 'Six digits, then two letters, such as 555555 AA.',
  },
  {
    name: 'amount',
    label: 'Amount in euros',
    missing: 'Enter the amount you need',
    hint: 'Whole euros, such as 10,000.',
  },
] as const

export type Question = (typeof questions)[number]['name']
/** The text of each field, as it was typed. */
export type Answers = Readonly<Record<Question, string>>
export type AnswerErrors = Partial<Readonly<Record<Question, string>>>

export const noAnswers: Answers = { name: '', address: '', nationalId: '', amount: '' }

export const readAnswers = (form: FormData): Answers => {
  const text = (name: Question) => String(form.get(name) ?? '')
  return { name: text('name'), address: text('address'), nationalId: text('nationalId'), amount: text('amount') }
}

/** `10,000`, `10.000,00`, `€ 10 000` and `10'000 EUR` are all 10,000; NaN when it is no whole number. */
const parseEuros = (text: string): number => {
  const plain = text.replaceAll(/€|eur(os?)?\b/gi, '').replaceAll(/[\s'’_]/g, '')
  const [, digits] = /^(\d+|\d{1,3}(?:[.,]\d{3})+)(?:[.,](?:0{1,2}|-{1,2}))?$/.exec(plain) ?? []
  return digits === undefined ? Number.NaN : Number(digits.replaceAll(/\D/g, ''))
}

export type LoanInput = z.infer<typeof requestLoanInput>

const sentence = (question: (typeof questions)[number], typed: string, message: string): string =>
  typed.trim() === '' ? question.missing : `${question.label}: ${message}`

/** What the answers ask for, or by field a sentence about what to correct. */
export const checkAnswers = (answers: Answers): { input: LoanInput } | { errors: AnswerErrors } => {
  const parsed = requestLoanInput.safeParse({
    name: answers.name.trim().replaceAll(/\s+/g, ' '),
    address: answers.address.trim().replaceAll(/\s*\n\s*/g, ', '),
    nationalId: answers.nationalId.replaceAll(/[\s.\-/]/g, ''),
    amount: parseEuros(answers.amount),
  })
  if (parsed.success) return { input: parsed.data }
  const errors = questions.flatMap((question) => {
    const issue = parsed.error.issues.find(({ path }) => path[0] === question.name)
    return issue ? [[question.name, sentence(question, answers[question.name], issue.message)]] : []
  })
  return { errors: Object.fromEntries(errors) }
}

/** What the API found wrong, for the same fields. */
export const errorsOfProblem = (found: readonly { field: string; message: string }[]): AnswerErrors =>
  Object.fromEntries(
    questions.flatMap(({ name, label }) => {
      const error = found.find(({ field }) => field === name)
      return error ? [[name, `${label}: ${error.message}`]] : []
    }),
  )
