namespace Mamba.Managed.Threading;

/// <summary>One of the threads that run a region together: every worker runs the same code and takes its share of each loop.</summary>
internal readonly struct Worker
{
    private readonly WorkerPool? pool;

    internal Worker(WorkerPool? pool, int index, int count)
    {
        this.pool = pool;
        Index = index;
        Count = count;
    }

    /// <summary>The calling thread as the only worker.</summary>
    public static Worker Alone => new(null, 0, 1);

    /// <summary>0 to <see cref="Count"/> - 1.</summary>
    public int Index { get; }

    /// <summary>Workers in the region.</summary>
    public int Count { get; }

    /// <summary>This worker's part of [0, <paramref name="total"/>), beginning at a multiple of <paramref name="grain"/>.</summary>
    public (int Start, int End) Range(int total, int grain = 1)
    {
        long grains = ((long)total + grain - 1) / grain;
        long start = grains * Index / Count * grain;
        long end = grains * (Index + 1) / Count * grain;
        return ((int)Math.Min(start, total), (int)Math.Min(end, total));
    }

    /// <summary>Waits until every worker of the region has reached this barrier.</summary>
    public void Barrier() => pool?.Barrier();
}

/// <summary>Code that all workers of a pool run at once.</summary>
internal interface IRegion
{
    /// <summary>Runs on every worker; ends when all have returned.</summary>
    void Execute(Worker worker);
}
