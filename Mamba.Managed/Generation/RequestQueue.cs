using System.Diagnostics;

namespace Mamba.Managed.Generation;

/// <summary>The requests of an engine, queued and running, and who comes next. Whoever calls holds the engine's lock.</summary>
internal sealed class RequestQueue(EngineOptions options)
{
    private readonly Dictionary<string, TenantShare> tenants = [];
    private readonly List<EngineTask> queued = [];
    private readonly List<EngineTask> running = [];
    private long arrivals;

    /// <summary>Requests that wait for a place.</summary>
    public IReadOnlyList<EngineTask> Queued => queued;

    /// <summary>Requests with a place.</summary>
    public IReadOnlyList<EngineTask> Running => running;

    /// <summary>Whether another request would have to be refused.</summary>
    public bool IsFull => queued.Count >= options.MaxQueued && (queued.Count > 0 || running.Count >= options.MaxRunning);

    /// <summary>Adds a request at the end.</summary>
    public EngineTask Add(GenerationRequest request, CancellationToken cancellation)
    {
        if (!tenants.TryGetValue(request.Tenant, out TenantShare? tenant))
        {
            // Time without requests earns no right to the engine later: a new tenant begins level with the one that had least.
            tenant = new(tenants.Count == 0 ? 0 : tenants.Values.Min(other => other.Served));
            tenants.Add(request.Tenant, tenant);
        }

        tenant.Requests++;
        EngineTask task = new(request, tenant, arrivals++, cancellation);
        queued.Add(task);
        return task;
    }

    /// <summary>Gives free places to those who come next, and returns them.</summary>
    public List<EngineTask> Admit()
    {
        List<EngineTask> admitted = [];
        while (queued.Count > 0 && running.Count < options.MaxRunning)
        {
            EngineTask next = queued.Min(Order)!;
            queued.Remove(next);
            running.Add(next);
            admitted.Add(next);
        }

        return admitted;
    }

    /// <summary>Removes a request.</summary>
    public void Remove(EngineTask task)
    {
        if ((queued.Remove(task) || running.Remove(task)) && --task.Tenant.Requests == 0)
        {
            tenants.Remove(task.Request.Tenant);
        }
    }

    /// <summary>The requests that nobody waits for any more, or whose deadline has passed.</summary>
    public List<EngineTask> Ended()
    {
        long now = Stopwatch.GetTimestamp();
        return [.. queued.Concat(running).Where(task => task.IsLeft || task.Deadline <= now)];
    }

    /// <summary>The next deadline, as <see cref="Stopwatch"/> counts; null for none.</summary>
    public long? NextDeadline() => queued.Concat(running).Min(task => task.Deadline);

    /// <summary>The running requests that may generate a token, the next ones first.</summary>
    public List<EngineTask> Ready()
    {
        List<EngineTask> ready = running.FindAll(task => task.IsReady);
        ready.Sort(Order);
        return ready;
    }

    /// <summary>Whether a reader who has been quick until now has not asked for the next token yet.</summary>
    public bool IsAwaitingReaders() => running.Exists(task => !task.IsLate && !task.IsReady && !task.IsLeft && !task.IsCanceled && task.Turn?.IsLoading != true);

    /// <summary>Those who have not asked are not waited for again until they do.</summary>
    public void MarkLate()
    {
        foreach (EngineTask task in running)
        {
            task.IsLate = !task.IsReady;
        }
    }

    // A higher priority, a tenant that had less, who has waited longest since a pass, who came first.
    private static readonly Comparer<EngineTask> Order = Comparer<EngineTask>.Create((a, b) =>
    {
        int byPriority = b.Request.Priority.CompareTo(a.Request.Priority);
        int byShare = byPriority != 0 ? byPriority : a.Tenant.Served.CompareTo(b.Tenant.Served);
        int byPass = byShare != 0 ? byShare : a.LastPass.CompareTo(b.LastPass);
        return byPass != 0 ? byPass : a.Number.CompareTo(b.Number);
    });
}
