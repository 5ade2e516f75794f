import { ShieldAlert, ShieldCheck } from 'lucide-react'
import { integer } from '@/lib/format'
import { setQuery } from '@/lib/router'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import type { Verification } from './use-audit'

/** Whether the chain is as it was written, and if not, where it breaks. */
export function VerifyResult({ result: r }: { result: Verification }) {
  const Icon = r.valid ? ShieldCheck : ShieldAlert
  return (
    <div role="status" className={`flex gap-3 rounded-lg p-4 ${r.valid ? 'bg-good-soft text-good' : 'bg-bad-soft text-bad'}`}>
      <Icon className="mt-0.5 size-5 shrink-0" aria-hidden />
      <div className="min-w-0 space-y-1">
        <p className="font-medium">
          {r.valid ? `All ${integer(r.checked)} entries are as they were written.` : `The chain is broken after ${integer(r.checked)} entries.`}
        </p>
        {!r.valid && <p>{r.detail ?? r.reason}</p>}
        {r.removed > 0 && <p className="text-[13px]">{integer(r.removed)} more are of events that the log itself has removed.</p>}
        <p className="flex items-center gap-1 font-mono text-xs">
          <span className="truncate">{r.valid ? `head ${r.head}` : r.firstBrokenId}</span>
          <CopyButton text={r.valid ? r.head : (r.firstBrokenId ?? '')} label={r.valid ? 'Copy the hash of the head' : 'Copy the id'} className="size-6 shrink-0 text-current" />
        </p>
        {!r.valid && r.firstBrokenId && (
          <Button small onClick={() => setQuery({ entry: r.firstBrokenId ?? '' }, { push: true })}>
            Show the entry
          </Button>
        )}
      </div>
    </div>
  )
}
