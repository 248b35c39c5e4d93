using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Grammars;
using Mamba.Managed.Models;
using Mamba.Managed.Templates;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>A model opened for service: what computes, the tokenizer, and the template of its conversations.</summary>
/// <remarks>Any number of threads may use it at once, as its parts. Engines of it end before it is disposed.</remarks>
public sealed class MambaModel : IDisposable
{
    private const string DefaultTemplate = "default";

    private readonly Lazy<GrammarVocabulary> vocabulary;
    private readonly Lazy<ChatTemplate?> template;

    /// <summary>A model of parts, for example of an executor that a plugin made for another device.</summary>
    /// <param name="executor">The model, which owns it from now on.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="name">What the model is called in responses and metrics.</param>
    /// <param name="chatTemplates">The texts of its chat templates by name, as <c>default</c>; null for a model without one.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model.</exception>
    public MambaModel(IMambaExecutor executor, Tokenizer tokenizer, string name = "mamba", IReadOnlyDictionary<string, string>? chatTemplates = null)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(name);
        RequireFitting(executor, tokenizer);
        (Executor, Tokenizer, Name, ChatTemplates) = (executor, tokenizer, name, chatTemplates ?? new Dictionary<string, string>());
        template = new(() => ChatTemplates.GetValueOrDefault(DefaultTemplate) is { } source ? ChatTemplate.Parse(source) : null);
        vocabulary = new(() => new GrammarVocabulary(tokenizer));
    }

    /// <summary>What computes; the model disposes it.</summary>
    public IMambaExecutor Executor { get; }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the model is called in responses and metrics.</summary>
    public string Name { get; }

    /// <summary>What saved sessions are bound to.</summary>
    public ModelFingerprint Fingerprint => Executor.Fingerprint;

    /// <summary>The texts of the model's chat templates by name, as <c>default</c> or <c>tool_use</c>; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; }

    /// <summary>What makes a text of a conversation; null where the model has no template. Parsed at first use.</summary>
    /// <exception cref="InvalidDataException">The template is malformed, or has something that is not supported.</exception>
    public ChatTemplate? ChatTemplate => template.Value;

    /// <summary>The tokens as grammars see them; made at first use, which takes some tens of milliseconds.</summary>
    public GrammarVocabulary Vocabulary => vocabulary.Value;

    /// <summary>Opens a model to run on this machine's cores.</summary>
    /// <param name="path">A model folder or a GGUF file.</param>
    /// <param name="threads">Threads that compute; 0 for one per processor.</param>
    /// <param name="name">What it is called; null for the name of the folder or file.</param>
    /// <exception cref="FileNotFoundException">The path does not exist, or a file is missing in the folder.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its parts do not fit each other.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static MambaModel Load(string path, int threads = 0, string? name = null)
    {
        using ModelSource source = ModelSource.Open(path);
        return Load(source, threads, (executor, tokenizer) => new MambaModel(executor, tokenizer, name ?? NameOf(path), source.ChatTemplates));
    }

    /// <summary>Disposes the executor.</summary>
    public void Dispose() => Executor.Dispose();

    /// <summary>Loads the executor and the tokenizer of a model, to make something of both that owns the executor.</summary>
    internal static T Load<T>(ModelSource source, int threads, Func<CpuExecutor, Tokenizer, T> make)
    {
        // The tokenizer is loaded while the weights are packed, which saves a quarter of the time to the first token.
        Task<Tokenizer> tokenizer = Task.Run(() => source.Tokenizer);
        CpuExecutor executor = CpuExecutor.TakeOver(source.Model, threads);
        try
        {
            return make(executor, tokenizer.GetAwaiter().GetResult());
        }
        catch
        {
            executor.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a tokenizer that has more tokens than the model.</summary>
    /// <exception cref="ArgumentException">It has.</exception>
    internal static void RequireFitting(IMambaExecutor executor, Tokenizer tokenizer)
    {
        if (tokenizer.VocabularySize > executor.Config.VocabSize)
        {
            Throw.Argument(Throw.Invariant($"expected a tokenizer of at most the model's {executor.Config.VocabSize} tokens, found {tokenizer}"), nameof(tokenizer));
        }
    }

    private static string NameOf(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return Directory.Exists(path) || name.LastIndexOf('.') <= 0 ? name : Path.GetFileNameWithoutExtension(name);
    }
}
