using System.Diagnostics;

namespace Mamba.Managed.Extensions;

/// <summary>One operation while it is measured; disposed before <see cref="End"/> it counts as canceled.</summary>
internal sealed class TelemetryOperation(MambaTelemetry telemetry, string operation, string model, Activity? activity) : IDisposable
{
    private readonly long started = Stopwatch.GetTimestamp();
    private TimeSpan? firstToken;
    private TimeSpan lastToken;
    private string? error;
    private bool isOver;

    /// <summary>Says more of the operation in its trace.</summary>
    public void Tag(string name, object? value)
    {
        if (value is not null)
        {
            activity?.SetTag(name, value);
        }
    }

    /// <summary>A token has come.</summary>
    public void Token()
    {
        lastToken = Stopwatch.GetElapsedTime(started);
        firstToken ??= lastToken;
    }

    /// <summary>The operation failed.</summary>
    public void Fail(Exception exception)
    {
        error = exception.GetType().FullName;
        activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
    }

    /// <summary>The operation has come to its end.</summary>
    public void End(long inputTokens, long cachedTokens, long outputTokens)
    {
        isOver = true;
        TagList tags = Tags();
        telemetry.TokenUsage.Record(inputTokens, With(tags, "input"));
        Tag("gen_ai.usage.input_tokens", inputTokens);
        if (outputTokens > 0)
        {
            telemetry.TokenUsage.Record(outputTokens, With(tags, "output"));
            Tag("gen_ai.usage.output_tokens", outputTokens);
        }

        if (cachedTokens > 0)
        {
            telemetry.CachedTokens.Add(cachedTokens, tags);
        }

        if (firstToken is { } first)
        {
            telemetry.TimeToFirstToken.Record(first.TotalSeconds, tags);
            telemetry.RequestDuration.Record(lastToken.TotalSeconds, tags);
            if (outputTokens > 1)
            {
                telemetry.TimePerOutputToken.Record((lastToken - first).TotalSeconds / (outputTokens - 1), tags);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        TagList tags = Tags();
        error ??= isOver ? null : typeof(OperationCanceledException).FullName;
        if (error is not null)
        {
            tags.Add("error.type", error);
            Tag("error.type", error);
        }

        telemetry.Duration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, tags);
        activity?.Dispose();
    }

    private TagList Tags()
    {
        Tag("gen_ai.operation.name", operation);
        Tag("gen_ai.provider.name", MambaTelemetry.Provider);
        Tag("gen_ai.request.model", model);
        return new()
        {
            { "gen_ai.operation.name", operation },
            { "gen_ai.provider.name", MambaTelemetry.Provider },
            { "gen_ai.request.model", model },
            { "gen_ai.response.model", model },
        };
    }

    private static TagList With(TagList tags, string type)
    {
        tags.Add("gen_ai.token.type", type);
        return tags;
    }
}
