import { useState } from 'react'
import type { Budget } from '@/lib/api/types'
import { usd } from '@/lib/format'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { useBudgetCommands } from './use-budgets'

interface Props {
  budget: Budget
  onClose: () => void
}

export function DeleteDialog({ budget, onClose }: Props) {
  const { remove } = useBudgetCommands()
  return (
    <Dialog
      open
      onClose={onClose}
      title="Delete budget"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="danger" disabled={remove.isPending} onClick={() => remove.mutate(budget.id, { onSuccess: onClose })}>
            Delete
          </Button>
        </>
      }
    >
      <p>
        “{budget.name}” will no longer limit anything. What was spent stays in the inference log.
      </p>
      {remove.isError && <ErrorState compact error={remove.error} />}
    </Dialog>
  )
}

export function ResetDialog({ budget, onClose }: Props) {
  const { reset } = useBudgetCommands()
  const [reason, setReason] = useState('')
  return (
    <Dialog
      open
      onClose={onClose}
      title="Reset usage"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" disabled={reset.isPending} onClick={() => reset.mutate({ id: budget.id, reason: reason.trim() }, { onSuccess: onClose })}>
            Reset
          </Button>
        </>
      }
    >
      <div className="space-y-4">
        <p>
          The {usd(budget.spentUsd ?? 0)} counted in this period of “{budget.name}” start again from zero. The reset is kept in the budget’s history.
        </p>
        <Field label="Reason" hint="Optional, for those who read the history.">
          {(props) => <Input {...props} value={reason} onChange={(e) => setReason(e.target.value)} />}
        </Field>
        {reset.isError && <ErrorState compact error={reset.error} />}
      </div>
    </Dialog>
  )
}
