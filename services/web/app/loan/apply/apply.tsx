// Applying: answer, check the answers, send. Each step is an ordinary form, so it works the same without scripts.
import { loanApi } from '@headwater/deciders/loan/api'
import { data, redirect } from 'react-router'
import { formKey, type Problem, readForm, send } from '../../shared/api.server.ts'
import type { Route } from './+types/apply'
import {
  type AnswerErrors,
  type Answers,
  checkAnswers,
  errorsOfProblem,
  type LoanInput,
  noAnswers,
  readAnswers,
} from './answers.ts'
import { CheckAnswers } from './check-answers.tsx'
import { Questions } from './questions.tsx'
import { type RefusalCode, Refused, refusalCodes } from './refused.tsx'

type Step =
  | { readonly step: 'answer'; readonly answers: Answers; readonly errors: AnswerErrors }
  | { readonly step: 'check'; readonly answers: Answers; readonly input: LoanInput; readonly trouble?: 'not sent' }
  | { readonly step: 'refused'; readonly code: RefusalCode }

const notFound = () => data(null, { status: 404 })

export const loader = ({ params }: Route.LoaderArgs) => {
  if (!formKey.safeParse(params.key).success) throw notFound()
  return null
}

const isRefusal = (code: string): code is RefusalCode => (refusalCodes as readonly string[]).includes(code)

const afterProblem = ({ status, code, errors }: Problem, answers: Answers, input: LoanInput): Step => {
  if (isRefusal(code)) return { step: 'refused', code }
  if (status === 422 && errors) return { step: 'answer', answers, errors: errorsOfProblem(errors) }
  return { step: 'check', answers, input, trouble: 'not sent' }
}

export const action = async ({ request, params, context }: Route.ActionArgs) => {
  if (!formKey.safeParse(params.key).success) throw notFound()
  const form = await readForm(context, request)
  const answers = readAnswers(form)
  const checked = checkAnswers(answers)
  const next = (step: Step, status = 200) => data(step, { status })
  if (form.get('do') === 'change') return next({ step: 'answer', answers, errors: {} })
  if ('errors' in checked) return next({ step: 'answer', answers, errors: checked.errors }, 422)
  if (form.get('do') !== 'send') return next({ step: 'check', answers, input: checked.input })
  const sent = await send(context, loanApi.commands.requestLoan.path, { key: params.key, body: checked.input })
  if (sent.ok) return redirect(`/applications/${sent.id}/received?after=${sent.position}`, 303)
  return next(afterProblem(sent.problem, answers, checked.input), sent.problem.status)
}

export default function Apply({ actionData }: Route.ComponentProps) {
  const step: Step = actionData ?? { step: 'answer', answers: noAnswers, errors: {} }
  if (step.step === 'refused') return <Refused code={step.code} />
  if (step.step === 'check') return <CheckAnswers {...step} />
  return <Questions answers={step.answers} errors={step.errors} />
}
