using System.Diagnostics;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>The thread of an engine: takes requests, runs passes, hands out tokens.</summary>
internal sealed class EngineLoop
{
    // How long a reader that asks for each token may take until a pass of others begins without it.
    private const int ReaderMilliseconds = 1;

    private readonly object gate = new();
    private readonly IMambaExecutor executor;
    private readonly Tokenizer tokenizer;
    private readonly EngineOptions options;
    private readonly RequestQueue queue;
    private readonly EnginePass pass;
    private readonly GenerationScratch scratch;
    private readonly Thread thread;
    private EngineMetrics metrics = new();
    private bool isDraining;
    private bool isStopping;
    private double requestSeconds;

    /// <summary>Starts the thread.</summary>
    public EngineLoop(IMambaExecutor executor, Tokenizer tokenizer, EngineOptions options)
    {
        (this.executor, this.tokenizer, this.options) = (executor, tokenizer, options);
        queue = new(options);
        pass = new(executor, options);
        scratch = new(executor.Config.VocabSize);
        thread = new(Run) { IsBackground = true, Name = "Mamba generation" };
        thread.Start();
    }

    /// <summary>The counts so far.</summary>
    public EngineMetrics Metrics
    {
        get
        {
            lock (gate)
            {
                return metrics with { Queued = queue.Queued.Count, Running = queue.Running.Count, PrefixCache = options.Prefixes?.Metrics };
            }
        }
    }

    /// <summary>Queues a request.</summary>
    /// <exception cref="QueueFullException">As many are queued as may be.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="ObjectDisposedException">The engine ends.</exception>
    public EngineTask Submit(GenerationRequest request, CancellationToken cancellation)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDraining || isStopping, typeof(GenerationEngine));
            if (queue.IsFull)
            {
                metrics = metrics with { Rejected = metrics.Rejected + 1 };
                throw new QueueFullException(
                    Throw.Invariant($"expected at most {options.MaxQueued} queued requests, found as many; try again later"), TimeSpan.FromSeconds(Math.Max(1, requestSeconds)));
            }

            request.Session?.Enter();
            return queue.Add(request, cancellation);
        }
    }

    /// <summary>A reader asks for its next token, or for all.</summary>
    public void Demand(EngineTask task, bool all)
    {
        lock (gate)
        {
            if (all)
            {
                task.DemandAll();
            }
            else
            {
                task.Demand();
            }

            Monitor.Pulse(gate);
        }
    }

    /// <summary>A reader goes; completes when the engine has let go of its session.</summary>
    public Task LeaveAsync(EngineTask task)
    {
        lock (gate)
        {
            task.Leave();
            Monitor.Pulse(gate);
        }

        return task.Request.Session is null ? Task.CompletedTask : task.Released;
    }

    /// <summary>Takes no more requests; completes when those that there are have ended.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        Task[] rest;
        lock (gate)
        {
            isDraining = true;
            rest = [.. queue.Queued.Concat(queue.Running).Select(task => task.Released)];
        }

        await Task.WhenAll(rest).WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Ends all requests and the thread.</summary>
    public void Stop()
    {
        lock (gate)
        {
            isStopping = true;
            Monitor.Pulse(gate);
        }

        thread.Join();
    }

    private void Run()
    {
        while (Take(out List<EngineTask> ended, out List<EngineTask> admitted, out List<EngineTask> ready))
        {
            ended.ForEach(End);
            admitted.ForEach(Begin);
            Start(ready);
            if (ready.Count > 0)
            {
                RunPass(ready);
            }
        }

        lock (gate)
        {
            foreach (EngineTask task in queue.Queued.Concat(queue.Running).ToArray())
            {
                Finish(task, null, new ObjectDisposedException(nameof(GenerationEngine)), "");
            }
        }
    }

    // Waits for something to do; false at the end.
    private bool Take(out List<EngineTask> ended, out List<EngineTask> admitted, out List<EngineTask> ready)
    {
        lock (gate)
        {
            bool hasWaited = false;
            while (true)
            {
                ended = queue.Ended();
                ended.ForEach(queue.Remove);
                admitted = queue.Admit();
                ready = admitted.Count + ended.Count > 0 ? [] : queue.Ready();
                if (isStopping || admitted.Count + ended.Count > 0)
                {
                    return !isStopping;
                }

                if (ready.Count == 0)
                {
                    Monitor.Wait(gate, Patience());
                }
                else if (!hasWaited && queue.IsAwaitingReaders())
                {
                    hasWaited = !Monitor.Wait(gate, ReaderMilliseconds);
                }
                else
                {
                    queue.MarkLate();
                    return true;
                }
            }
        }
    }

    private int Patience()
    {
        if (queue.NextDeadline() is not long deadline)
        {
            return Timeout.Infinite;
        }

        double left = (deadline - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
        return (int)Math.Clamp(left + 1, 1, 1 << 30);
    }

    private void Begin(EngineTask task)
    {
        try
        {
            GenerationSession session = task.Request.Session ?? new(executor.CreateState(), seed: task.Request.Options.Seed);
            task.Turn = new GenerationTurn(task.Request, session, tokenizer, executor, CacheFor(task.Request), isNew: task.Request.Session is null);
            task.Turn.Load(Wake);
            task.Use();
        }
        catch (Exception error)
        {
            Finish(task, null, error, "");
        }
    }

    // Where hidden vectors are collected, every token is to be fed.
    private PrefixCache? CacheFor(GenerationRequest request) => request.Embedding is null ? options.Prefixes : null;

    // Those that take part in the next pass and have not begun take what the cache has for them.
    private void Start(List<EngineTask> ready)
    {
        for (int i = 0; i < Math.Min(ready.Count, options.MaxBatch); i++)
        {
            EngineTask task = ready[i];
            if (task.Turn!.IsStarted)
            {
                continue;
            }

            try
            {
                PrefixUse use = task.Turn.Start();
                task.Use();
                lock (gate)
                {
                    metrics = metrics with { Prefixes = metrics.Prefixes.With(use) };
                }
            }
            catch (Exception error)
            {
                Fail(task, error, isStateLost: false);
                ready.RemoveAt(i--);
            }
        }
    }

    private void Wake()
    {
        lock (gate)
        {
            Monitor.Pulse(gate);
        }
    }

    private void End(EngineTask task)
    {
        if (task.IsLeft)
        {
            Finish(task, null, new OperationCanceledException(), task.Unread());
        }
        else
        {
            Finish(task, null, new TimeoutException(Throw.Invariant(
                $"expected the request to end within {task.Request.Deadline}, found it unfinished after {task.Usage.GeneratedTokens} tokens; allow more time, or try when there is less to do")), "");
        }
    }

    private void RunPass(List<EngineTask> ready)
    {
        pass.Arrange(ready);
        long started = Stopwatch.GetTimestamp();
        Dictionary<EngineTask, Exception> errors;
        try
        {
            errors = pass.Run();
        }
        catch (Exception error)
        {
            foreach (EngineTask task in pass.Tasks)
            {
                Fail(task, error, isStateLost: true);
            }

            return;
        }

        Count(Stopwatch.GetElapsedTime(started));
        for (int i = 0; i < pass.Tasks.Count; i++)
        {
            EngineTask task = pass.Tasks[i];
            if (errors.TryGetValue(task, out Exception? error))
            {
                Fail(task, error, isStateLost: false);
            }
            else if (task.Request.Embedding is { } sum)
            {
                Collect(task, sum, pass.HiddenOf(i));
            }
            else
            {
                GoOn(task, pass.LogitsOf(i));
            }
        }
    }

    private void Collect(EngineTask task, EmbeddingSum sum, ReadOnlySpan<float> vectors)
    {
        sum.Add(vectors);
        if (task.Turn!.Session.Waiting.IsEmpty)
        {
            Finish(task, null, null, "");
        }
    }

    // After a pass: part of a prompt was read, or the next token can be chosen.
    private void GoOn(EngineTask task, ReadOnlySpan<float> logits)
    {
        GeneratedToken token;
        try
        {
            task.Turn!.Fed();
            if (logits.IsEmpty)
            {
                return;
            }

            token = task.Turn.Choose(logits, scratch);
        }
        catch (Exception error)
        {
            Fail(task, error, isStateLost: false);
            return;
        }

        task.Use();
        if (token.Summary is null)
        {
            task.Give(token);
        }
        else
        {
            Finish(task, token, null, "");
        }
    }

    private void Fail(EngineTask task, Exception error, bool isStateLost)
    {
        try
        {
            task.Turn!.Fail(isStateLost);
        }
        catch (ObjectDisposedException)
        {
            // The session was disposed during its request.
        }

        Finish(task, null, error, "");
    }

    private void Finish(EngineTask task, GeneratedToken? last, Exception? error, string unread)
    {
        lock (gate)
        {
            queue.Remove(task);
            requestSeconds = (0.8 * requestSeconds) + (0.2 * Stopwatch.GetElapsedTime(task.Arrival).TotalSeconds);
            metrics = error switch
            {
                null => metrics with { Finished = metrics.Finished + 1 },
                OperationCanceledException => metrics with { Canceled = metrics.Canceled + 1 },
                TimeoutException => metrics with { Expired = metrics.Expired + 1 },
                _ => metrics with { Failed = metrics.Failed + 1 },
            };
        }

        if (error is OperationCanceledException or TimeoutException or ObjectDisposedException)
        {
            LeaveTurn(task, unread);
        }

        task.Release(last, error);
    }

    private static void LeaveTurn(EngineTask task, string unread)
    {
        try
        {
            task.Turn?.Leave(unread);
        }
        catch (ObjectDisposedException)
        {
            // The session was disposed during its request.
        }
    }

    private void Count(TimeSpan time)
    {
        int prompt = 0, generated = 0;
        for (int i = 0; i < pass.Tasks.Count; i++)
        {
            EngineTask task = pass.Tasks[i];
            task.LastPass = metrics.Passes + 1;
            int length = pass.LengthOf(i);
            prompt += task.Turn!.Count == 0 ? length : 0;
            generated += pass.LogitsOf(i).IsEmpty ? 0 : 1;
        }

        lock (gate)
        {
            for (int i = 0; i < pass.Tasks.Count; i++)
            {
                pass.Tasks[i].Tenant.Served += pass.LengthOf(i);
            }

            metrics = metrics with
            {
                Passes = metrics.Passes + 1,
                Sequences = metrics.Sequences + pass.Tasks.Count,
                PromptTokens = metrics.PromptTokens + prompt,
                GeneratedTokens = metrics.GeneratedTokens + generated,
                PassTime = metrics.PassTime + time,
            };
        }
    }
}
