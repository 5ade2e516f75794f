import { Link2 } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Call } from '@/lib/api/calls'
import { count, duration, integer, timestamp, usd } from '@/lib/format'
import { setQuery } from '@/lib/router'
import { Badge } from '@/ui/bits'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { JsonView } from '@/ui/json'
import { CallStatus } from './call-table'
import { useCall } from './use-calls'

/** Everything known about one call. */
export function CallDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const call = useCall(id)
  return (
    <Dialog shape="drawer" open={id !== ''} onClose={onClose} title="Call" description={<CallId id={id} />}>
      {call.isPending && <SkeletonRows rows={8} />}
      {call.isError && <ErrorState error={call.error} onRetry={() => void call.refetch()} />}
      {call.data && <Details call={call.data} />}
    </Dialog>
  )
}

function CallId({ id }: { id: string }) {
  return (
    <span className="flex items-center gap-1">
      <span className="truncate font-mono text-[13px]">{id}</span>
      <CopyButton text={id} label="Copy call id" className="size-7" />
    </span>
  )
}

function Details({ call }: { call: Call }) {
  return (
    <div className="space-y-5">
      <div className="flex flex-wrap items-center gap-2">
        <CallStatus call={call} />
        <Badge>{call.type || 'call'}</Badge>
        {call.raw.stream === true && <Badge>streamed</Badge>}
        {call.raw.usage_estimated === true && <Badge>tokens estimated</Badge>}
        {call.tags.map((tag) => (
          <Badge key={tag} tone="accent">
            {tag}
          </Badge>
        ))}
      </div>
      {call.status === 'error' && (
        <div className="rounded-lg bg-bad-soft p-3.5 text-bad">
          <p className="font-medium break-words">{call.error || 'The call failed.'}</p>
          {call.errorCode && <p className="font-mono text-xs">{call.errorCode}</p>}
        </div>
      )}
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-4">
        <Figure label="Latency" value={duration(call.latencyMs)} />
        <Figure label="First token" value={call.firstTokenMs === undefined ? '–' : duration(call.firstTokenMs)} />
        <Figure label="Tokens in / out" value={`${count(call.inputTokens)} / ${count(call.outputTokens)}`} exact={integer(call.inputTokens + call.outputTokens)} />
        <Figure label="Cost" value={usd(call.costUsd)} />
      </dl>
      <dl className="divide-y divide-line">
        <Fact label="Time">{timestamp(call.time)}</Fact>
        <Fact label="Model" mono>
          {call.model}
        </Fact>
        {call.requestedModel && call.requestedModel !== call.model && (
          <Fact label="Asked for" mono>
            {call.requestedModel}
          </Fact>
        )}
        <Fact label="User">{call.user}</Fact>
        <Fact label="Finish reason">{text(call.raw.finish_reason)}</Fact>
        <Fact label="Attempts">{text(call.raw.attempts)}</Fact>
        <Fact label="Request id" mono copy={text(call.raw.request_id)}>
          {text(call.raw.request_id)}
        </Fact>
        {call.correlationId && (
          <Fact label="Correlation id" mono copy={call.correlationId} action={<RelatedCalls correlationId={call.correlationId} />}>
            {call.correlationId}
          </Fact>
        )}
        <Fact label="API key" mono>
          {text(call.raw.api_key_id)}
        </Fact>
        <Fact label="App" mono>
          {text(call.raw.app_id)}
        </Fact>
      </dl>
      <Payload title="Request" value={call.request} />
      <Payload title="Response" value={call.response} />
      <details className="group">
        <summary className="w-fit rounded-md font-medium text-ink-2 hover:text-ink">All fields</summary>
        <div className="pt-2">
          <JsonView label="all fields" value={withoutPayloads(call.raw)} />
        </div>
      </details>
    </div>
  )
}

function RelatedCalls({ correlationId }: { correlationId: string }) {
  return (
    <Button look="ghost" small className="font-sans" onClick={() => setQuery({ correlation_id: correlationId, call: '' }, { push: true })}>
      <Link2 /> Related calls
    </Button>
  )
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}

function withoutPayloads(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([key]) => key !== 'request' && key !== 'response'))
}

function Figure({ label, value, exact }: { label: string; value: string; exact?: string }) {
  return (
    <div className="bg-surface px-3.5 py-2.5">
      <dt className="text-xs text-ink-3">{label}</dt>
      <dd className="tabular text-base font-semibold" title={exact}>
        {value}
      </dd>
    </div>
  )
}

interface FactProps {
  label: string
  children: ReactNode
  mono?: boolean
  copy?: string
  action?: ReactNode
}

/** One fact; one that is not known is not shown. */
function Fact({ label, children, mono, copy, action }: FactProps) {
  if (!children) return null
  return (
    <div className="flex min-h-10 items-center gap-3 py-1">
      <dt className="w-28 shrink-0 text-ink-3">{label}</dt>
      <dd className={mono ? 'flex min-w-0 flex-1 flex-wrap items-center font-mono text-[13px] break-all' : 'min-w-0 flex-1 break-words'}>
        {children}
        {copy && <CopyButton text={copy} label={`Copy ${label.toLowerCase()}`} className="size-7" />}
        {action}
      </dd>
    </div>
  )
}

function Payload({ title, value }: { title: string; value: unknown }) {
  return (
    <section className="space-y-2">
      <h3 className="font-medium">{title}</h3>
      {value === undefined ? (
        <p className="rounded-lg border border-dashed border-line p-3.5 text-ink-3">
          Not kept: recording is off for this key, the payload has expired, or its subject was erased.
        </p>
      ) : (
        <JsonView label={`${title.toLowerCase()} payload`} value={value} />
      )}
    </section>
  )
}
