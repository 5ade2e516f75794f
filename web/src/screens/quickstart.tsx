import { ArrowLeft, ArrowRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { useState } from 'react'
import { baseUrl } from '@/lib/base'
import { useTitle } from '@/lib/hooks'
import { Link } from '@/lib/router'
import { curlBudget, curlChat, nodeChat, pythonChat } from '@/lib/snippets'
import { PageHeader } from '@/ui/bits'
import { buttonClass } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { Segments } from '@/ui/form'
import { docsHref } from './shell'

const languages = [
  { value: 'curl' as const, label: 'curl', code: curlChat },
  { value: 'python' as const, label: 'Python', code: pythonChat },
  { value: 'node' as const, label: 'Node.js', code: nodeChat },
]

/** The first steps, with this server's own address in them. It can be read without a key. */
export function QuickstartScreen({ standalone = false }: { standalone?: boolean }) {
  useTitle('Quickstart')
  const base = baseUrl(location)
  const [language, setLanguage] = useState<(typeof languages)[number]['value']>('curl')
  const code = languages.find((l) => l.value === language)?.code ?? curlChat
  const body = (
    <div className="mx-auto max-w-3xl space-y-7">
      <PageHeader title="Quickstart" lead="From nothing to a recorded, priced and limited model call." />
      <Step number={1} title="Your key and address">
        <p>
          Every request carries an API key as a bearer token. The server printed an admin key when it first started; setting{' '}
          <Code>STRATA_ADMIN_KEY</Code> before that start chooses it.
        </p>
        <CodeBlock label="base URL and key" code={`export STRATA_API_KEY=…   # your key\nexport OPENAI_BASE_URL=${base}/openai/v1`} />
      </Step>
      <Step number={2} title="Call a model">
        <p>
          Strata speaks OpenAI’s wire format, so existing programs need a new base URL and key, nothing else. The built-in <Code>strata/…</Code>{' '}
          models answer without a network; once a provider is configured, its models are <Code>provider/model</Code>.
        </p>
        <Segments label="Language" value={language} options={languages.map(({ value, label }) => ({ value, label }))} onChange={setLanguage} />
        <CodeBlock label={`${language} example`} code={code(base)} />
      </Step>
      <Step number={3} title="Look at it">
        <p>
          The call is in the <PageLink to="logs">inference log</PageLink> within a second or two, with what was asked, answered, spent and how long it
          took. The <PageLink to="">overview</PageLink> adds calls up, and <PageLink to="events">live events</PageLink> shows everything that happens.
        </p>
      </Step>
      <Step number={4} title="Limit it">
        <p>
          A budget reserves money before a call and settles it after, so it is never overspent, however many callers there are. Over the limit calls are
          answered 429 with <Code>QUOTA_EXCEEDED</Code>.
        </p>
        <CodeBlock label="budget example" code={curlBudget(base)} />
      </Step>
      <section className="space-y-3" aria-labelledby="trouble">
        <h2 id="trouble" className="text-base font-semibold">
          When something is wrong
        </h2>
        <dl className="panel divide-y divide-line px-4">
          <Trouble code="401">The key is missing, mistyped or revoked.</Trouble>
          <Trouble code="404 model_not_found">The model’s name must match one of the model list exactly.</Trouble>
          <Trouble code="429">Too many requests, or a budget is used up: the code says which, and Retry-After when to come back.</Trouble>
          <Trouble code="503">A model provider, or a part of Strata that is still starting, cannot answer now. Calls are never lost meanwhile.</Trouble>
        </dl>
        <p className="text-ink-3">
          Every answer has an <Code>X-Request-Id</Code>; it finds the request in the server’s own log.
        </p>
      </section>
      <a href={docsHref} className={buttonClass('primary')}>
        API reference <ArrowRight />
      </a>
    </div>
  )
  if (!standalone) return body
  return (
    <main className="px-4 py-8">
      <p className="mx-auto mb-4 max-w-3xl">
        <Link to="" className="inline-flex items-center gap-1.5 text-ink-3 hover:text-ink">
          <ArrowLeft className="size-4" /> Sign in
        </Link>
      </p>
      {body}
    </main>
  )
}

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <section className="space-y-3">
      <h2 className="flex items-center gap-2.5 text-base font-semibold">
        <span aria-hidden className="tabular flex size-6 items-center justify-center rounded-full bg-accent-soft text-xs text-accent">
          {number}
        </span>
        {title}
      </h2>
      <div className="space-y-3 text-ink-2">{children}</div>
    </section>
  )
}

function Code({ children }: { children: ReactNode }) {
  return <code className="rounded bg-hover px-1 py-0.5 font-mono text-[0.9em]">{children}</code>
}

function PageLink({ to, children }: { to: string; children: ReactNode }) {
  return (
    <Link to={to} className="text-accent underline underline-offset-4">
      {children}
    </Link>
  )
}

function Trouble({ code, children }: { code: string; children: ReactNode }) {
  return (
    <div className="gap-4 py-2.5 sm:flex">
      <dt className="w-44 shrink-0 font-mono text-[13px]">{code}</dt>
      <dd className="text-ink-2">{children}</dd>
    </div>
  )
}
