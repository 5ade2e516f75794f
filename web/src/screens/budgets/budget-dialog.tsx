import type { FormEvent } from 'react'
import { useState } from 'react'
import type { Budget } from '@/lib/api/types'
import { budgetPeriods, budgetScopes } from '@/lib/api/types'
import { faultsOf } from '@/lib/faults'
import { humanise } from '@/lib/format'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input, Select, Switch } from '@/ui/form'
import type { BudgetDraft } from './use-budgets'
import { useBudgetCommands } from './use-budgets'

const fields = ['name', 'scopeType', 'scopeId', 'limitUsd', 'limitTokens', 'period']

/** Creates a budget, or changes one. */
export function BudgetDialog({ budget, onClose }: { budget: Budget | undefined; onClose: () => void }) {
  const { save } = useBudgetCommands()
  const [name, setName] = useState(budget?.name ?? '')
  const [scopeType, setScopeType] = useState<Budget['scopeType']>(budget?.scopeType ?? 'workspace')
  const [scopeId, setScopeId] = useState(budget?.scopeId ?? '')
  const [limit, setLimit] = useState(budget ? String(budget.limitUsd) : '')
  const [tokens, setTokens] = useState(budget?.limitTokens ? String(budget.limitTokens) : '')
  const [period, setPeriod] = useState<Budget['period']>(budget?.period ?? 'monthly')
  const [hardLimit, setHardLimit] = useState(budget?.hardLimit ?? true)
  const wasEnabled = budget?.status !== 'disabled'
  const [enabled, setEnabled] = useState(wasEnabled)
  const faults = faultsOf(save.error)
  const unplaced = save.isError && !Object.keys(faults).some((field) => fields.includes(field))

  function submit(event: FormEvent) {
    event.preventDefault()
    const draft: BudgetDraft = {
      name: name.trim(),
      scopeType,
      scopeId: scopeId.trim(),
      limitUsd: Number(limit),
      limitTokens: tokens ? Number(tokens) : null,
      period,
      hardLimit,
      // Only a change is sent: whether it is exceeded is for the server to say.
      status: enabled === wasEnabled ? undefined : enabled ? 'active' : 'disabled',
    }
    save.mutate({ budget, draft }, { onSuccess: onClose })
  }

  const wholeScope = scopeType === 'organization' || scopeType === 'workspace'
  return (
    <Dialog
      open
      onClose={onClose}
      title={budget ? 'Edit budget' : 'New budget'}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="budget-form" disabled={save.isPending}>
            {save.isPending ? 'Saving…' : budget ? 'Save' : 'Create'}
          </Button>
        </>
      }
    >
      <form id="budget-form" onSubmit={submit} className="space-y-4">
        <Field label="Name" error={faults.name}>
          {(props) => <Input {...props} required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Applies to" error={faults.scopeType} hint={budget ? 'Cannot be changed.' : undefined}>
            {(props) => (
              <Select {...props} disabled={Boolean(budget)} value={scopeType} onChange={(e) => setScopeType(e.target.value as Budget['scopeType'])}>
                {budgetScopes.map((scope) => (
                  <option key={scope} value={scope}>
                    {humanise(scope)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field label="Which" error={faults.scopeId} hint={wholeScope ? 'Empty: the one you are in.' : 'Its id, or a model’s name.'}>
            {(props) => (
              <Input {...props} disabled={Boolean(budget)} required={!wholeScope} value={scopeId} onChange={(e) => setScopeId(e.target.value)} className="font-mono text-[13px]" />
            )}
          </Field>
          <Field label="Limit in USD" error={faults.limitUsd}>
            {(props) => (
              <Input {...props} type="number" inputMode="decimal" min="0" step="0.000001" required value={limit} onChange={(e) => setLimit(e.target.value)} className="tabular" />
            )}
          </Field>
          <Field label="Period" error={faults.period}>
            {(props) => (
              <Select {...props} value={period} onChange={(e) => setPeriod(e.target.value as Budget['period'])}>
                {budgetPeriods.map((p) => (
                  <option key={p} value={p}>
                    {humanise(p)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <Field label="Limit in tokens" error={faults.limitTokens} hint="Optional, beside the limit in money.">
          {(props) => (
            <Input {...props} type="number" inputMode="numeric" min="1" step="1" value={tokens} onChange={(e) => setTokens(e.target.value)} className="tabular" />
          )}
        </Field>
        <Switch label="Refuse calls over the limit" hint="Otherwise the budget only counts and warns." checked={hardLimit} onChange={setHardLimit} />
        {budget && <Switch label="Enabled" checked={enabled} onChange={setEnabled} />}
        {unplaced && <ErrorState compact error={save.error} />}
      </form>
    </Dialog>
  )
}
