using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Microsoft.Extensions.Options;

namespace Mamba.Managed.Extensions;

/// <summary>A model that a service offers under a name, as configuration has it.</summary>
public sealed class MambaModelOptions
{
    /// <summary>The model folder or GGUF file.</summary>
    public string? Path { get; set; }

    /// <summary>Threads that compute; 0 for one per processor.</summary>
    public int Threads { get; set; }

    /// <summary>Whether a token is generated before the service takes requests, so that the first one finds code and weights warm.</summary>
    public bool WarmUp { get; set; } = true;

    /// <summary>Most sequences of a pass.</summary>
    public int MaxBatch { get; set; } = new EngineOptions().MaxBatch;

    /// <summary>Most requests under way at once; others are queued.</summary>
    public int MaxRunning { get; set; } = new EngineOptions().MaxRunning;

    /// <summary>Most requests that are queued; another one is refused.</summary>
    public int MaxQueued { get; set; } = new EngineOptions().MaxQueued;

    /// <summary>How long a pass may take while others wait for their next token.</summary>
    public TimeSpan MaxDelay { get; set; } = new EngineOptions().MaxDelay;

    /// <summary>Bytes of states of texts read before, from which requests that begin alike start; 0 keeps none.</summary>
    public long PrefixBytes { get; set; } = new PrefixCacheOptions().MemoryBytes;

    /// <summary>Where such states are kept as files, too; null for nowhere. Processes of one model may share it.</summary>
    public string? PrefixFolder { get; set; }

    /// <summary>Most tokens of a reply whose request does not say.</summary>
    public int MaxOutputTokens { get; set; } = 1024;

    /// <summary>The temperature of requests that do not say.</summary>
    public float Temperature { get; set; } = 1;

    /// <summary>How the vectors of a text's tokens become one.</summary>
    public Pooling EmbeddingPooling { get; set; } = Pooling.Last;

    /// <summary>Whether vectors of texts are scaled to length 1.</summary>
    public bool NormalizeEmbeddings { get; set; } = true;

    /// <summary>Where conversations are kept as files; null to keep them in memory.</summary>
    public string? SessionFolder { get; set; }

    /// <summary>Bytes of conversations that are kept in memory.</summary>
    public long SessionBytes { get; set; } = 1L << 30;

    /// <summary>How long a conversation is kept since it was last used.</summary>
    public TimeSpan SessionExpiry { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Opens the model in another way than from <see cref="Path"/>, for example for a GPU; set in code.</summary>
    public Func<IServiceProvider, MambaModel>? Open { get; set; }

    /// <summary>Makes a text of a conversation, in place of the model's own template; set in code.</summary>
    public Func<MambaModel, IChatTemplate>? Template { get; set; }

    internal EngineOptions Engine(int maxRows, PrefixCache? prefixes) =>
        new() { MaxBatch = Math.Min(MaxBatch, maxRows), MaxRunning = MaxRunning, MaxQueued = MaxQueued, MaxDelay = MaxDelay, Prefixes = prefixes };

    internal PrefixCache? Prefixes() => PrefixBytes == 0 ? null : new(new() { MemoryBytes = PrefixBytes, Folder = PrefixFolder });

    internal ISessionStore Sessions(TimeProvider? time) =>
        SessionFolder is null ? new MemorySessionStore(SessionBytes, SessionExpiry, time) : new FileSessionStore(SessionFolder, SessionExpiry, time);
}

/// <summary>Checks the options when the host starts, so that a mistake is found before the first request.</summary>
internal sealed class MambaModelOptionsValidator : IValidateOptions<MambaModelOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MambaModelOptions options)
    {
        List<string> problems = [];
        Check(options.Open is not null || !string.IsNullOrWhiteSpace(options.Path), "Path", "a model folder or a GGUF file", "nothing");
        Check(options.Open is not null || string.IsNullOrWhiteSpace(options.Path) || Directory.Exists(options.Path) || File.Exists(options.Path),
            "Path", "a model folder or a GGUF file that is there", $"'{options.Path}', which is not");
        Check(options.Threads is >= 0 and <= 1024, "Threads", "0 to 1024", options.Threads);
        Check(options.MaxBatch >= 1, "MaxBatch", "1 or more", options.MaxBatch);
        Check(options.MaxRunning >= 1, "MaxRunning", "1 or more", options.MaxRunning);
        Check(options.MaxQueued >= 0, "MaxQueued", "0 or more", options.MaxQueued);
        Check(options.MaxDelay >= TimeSpan.FromMilliseconds(1) && options.MaxDelay <= TimeSpan.FromHours(1), "MaxDelay", "a millisecond to an hour", options.MaxDelay);
        Check(options.PrefixBytes >= 0, "PrefixBytes", "0 or more", options.PrefixBytes);
        Check(options.PrefixFolder is null || options.PrefixBytes > 0, "PrefixFolder", "nothing, or some PrefixBytes beside it", "a folder and PrefixBytes of 0");
        Check(options.MaxOutputTokens >= 1, "MaxOutputTokens", "1 or more", options.MaxOutputTokens);
        Check(options.Temperature is >= 0 and <= 1e6f, "Temperature", "0 to 1e6", options.Temperature);
        Check(Enum.IsDefined(options.EmbeddingPooling), "EmbeddingPooling", "Last or Mean", options.EmbeddingPooling);
        Check(options.SessionBytes >= 1, "SessionBytes", "1 or more", options.SessionBytes);
        Check(options.SessionExpiry > TimeSpan.Zero, "SessionExpiry", "a positive time", options.SessionExpiry);
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(bool condition, string option, string expected, object found)
        {
            if (!condition)
            {
                problems.Add(FormattableString.Invariant($"model '{name}': {option}: expected {expected}, found {found}"));
            }
        }
    }
}
