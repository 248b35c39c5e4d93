using System.Diagnostics;
using System.Runtime.InteropServices;
using Mamba.Managed.Execution;

namespace Mamba.Managed.Generation;

/// <summary>One pass of an engine: one token of each sequence that generates, and chunks of prompts as far as time allows.</summary>
internal sealed class EnginePass(IMambaExecutor executor, EngineOptions options)
{
    // Shorter chunks would read the weights for too few tokens.
    private const int LeastChunk = 8;
    private const int FirstChunk = 32;

    private readonly List<int> tokens = [];
    private readonly List<SequenceInput> inputs = [];
    private readonly List<EngineTask> tasks = [];
    private float[] logits = [];
    private double stepSeconds;
    private double rowSeconds;

    /// <summary>The sequences of the pass.</summary>
    public IReadOnlyList<EngineTask> Tasks => tasks;

    /// <summary>Chooses what the pass does.</summary>
    /// <param name="ready">Who may take part, the next ones first.</param>
    public void Arrange(List<EngineTask> ready)
    {
        tokens.Clear();
        inputs.Clear();
        tasks.Clear();
        List<EngineTask> chosen = ready.GetRange(0, Math.Min(ready.Count, options.MaxBatch));
        int rows = PromptRows(chosen);
        foreach (EngineTask task in chosen)
        {
            ReadOnlySpan<int> waiting = task.Turn!.Session.Waiting;
            int length = waiting.Length == 1 ? 1 : Math.Min(waiting.Length, rows);
            if (length > 0)
            {
                rows -= waiting.Length == 1 ? 0 : length;
                task.Turn.Feed();
                tokens.AddRange(waiting[..length]);
                inputs.Add(new(task.Turn.Session.State, length, length == waiting.Length ? LogitRows.Last : LogitRows.None));
                tasks.Add(task);
            }
        }
    }

    /// <summary>Feeds the tokens; returns the errors of sequences that could not be fed, by task.</summary>
    /// <exception cref="Exception">The device failed: the states of all sequences are lost.</exception>
    public Dictionary<EngineTask, Exception> Run()
    {
        int size = inputs.Sum(input => input.LogitCount) * executor.Config.VocabSize;
        logits = logits.Length < size ? new float[size] : logits;
        long started = Stopwatch.GetTimestamp();
        Dictionary<EngineTask, Exception> errors = [];
        try
        {
            executor.Run(CollectionsMarshal.AsSpan(tokens), CollectionsMarshal.AsSpan(inputs), logits.AsSpan(0, size));
        }
        catch (Exception error) when (error is ArgumentException or ObjectDisposedException)
        {
            // A session of another model or one that was disposed: nothing was fed, and the others are not to suffer for it.
            RunEach(errors);
        }

        Learn(Stopwatch.GetElapsedTime(started).TotalSeconds);
        return errors;
    }

    /// <summary>How many tokens of a sequence are fed.</summary>
    public int LengthOf(int index) => inputs[index].Length;

    /// <summary>The logits of a sequence's last token; empty where it has more of its prompt before it.</summary>
    public ReadOnlySpan<float> LogitsOf(int index)
    {
        int row = 0;
        for (int i = 0; i < index; i++)
        {
            row += inputs[i].LogitCount;
        }

        int vocabulary = executor.Config.VocabSize;
        return logits.AsSpan(row * vocabulary, inputs[index].LogitCount * vocabulary);
    }

    private void RunEach(Dictionary<EngineTask, Exception> errors)
    {
        int vocabulary = executor.Config.VocabSize;
        for (int i = 0, start = 0, row = 0; i < inputs.Count; i++)
        {
            SequenceInput input = inputs[i];
            try
            {
                executor.Run(CollectionsMarshal.AsSpan(tokens).Slice(start, input.Length), [input], logits.AsSpan(row * vocabulary, input.LogitCount * vocabulary));
            }
            catch (Exception error) when (error is ArgumentException or ObjectDisposedException)
            {
                errors.Add(tasks[i], error);
            }

            start += input.Length;
            row += input.LogitCount;
        }
    }

    // As many tokens of prompts as fit into the time, beside one token of each of the others.
    private int PromptRows(List<EngineTask> chosen)
    {
        int steps = chosen.Count(task => task.Turn!.Session.Waiting.Length == 1);
        int most = Math.Min(executor.PromptChunk, executor.MaxRows - steps);
        if (steps == chosen.Count || most <= 0)
        {
            return Math.Max(most, 0);
        }

        double left = options.MaxDelay.TotalSeconds - (steps > 0 ? stepSeconds : 0);
        double fits = rowSeconds > 0 ? left / rowSeconds : FirstChunk;
        return (int)Math.Clamp(fits, Math.Min(LeastChunk, most), most);
    }

    // A pass without prompts says what steps take; one with prompts, what a token of a prompt takes beyond that.
    private void Learn(double seconds)
    {
        int steps = inputs.Count(input => input.Length == 1);
        int rows = tokens.Count - steps;
        if (rows == 0)
        {
            stepSeconds = Blend(stepSeconds, seconds);
        }
        else
        {
            rowSeconds = Blend(rowSeconds, Math.Max(seconds - (steps > 0 ? stepSeconds : 0), seconds / 4) / rows);
        }
    }

    private static double Blend(double before, double now) => before == 0 ? now : (0.8 * before) + (0.2 * now);
}
