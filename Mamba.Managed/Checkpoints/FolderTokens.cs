using System.Text.Json;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>A token that a file names by its id.</summary>
/// <param name="Where">The file and the field, for an error.</param>
/// <param name="Id">As the file has it: it may be no token's.</param>
internal readonly record struct NamedToken(string Where, long Id);

/// <summary>What the files beside a <c>tokenizer.json</c> say about its tokens: which of them end a text, and which are added to every text.</summary>
/// <remarks>
/// The ids that end a text are those of <c>generation_config.json</c>, where it has some, else those of <c>config.json</c>: the rule of transformers,
/// whose configurations often keep a default that is meant for nobody. The tokenizer's own end, <c>eos_token</c> in <c>tokenizer_config.json</c> or
/// else in <c>special_tokens_map.json</c>, is added: who trains a model on conversations often changes it there alone.
/// </remarks>
internal sealed class FolderTokens
{
    /// <summary>The settings of the tokenizer.</summary>
    public const string TokenizerConfig = "tokenizer_config.json";

    /// <summary>The texts of special tokens, in older folders.</summary>
    public const string SpecialTokens = "special_tokens_map.json";

    /// <summary>The defaults of generation.</summary>
    public const string GenerationConfig = "generation_config.json";

    private const int LongestFile = 1 << 24;
    private const string EndField = "eos_token_id";

    // Classes that make the template from the flags, without the ending that their fast forms have.
    private static readonly string[] obeyingFlags = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer", "GPTNeoXTokenizer"];

    private readonly string folder;
    private readonly string tokenizerClass;
    private readonly IReadOnlyDictionary<string, string> texts;
    private readonly IReadOnlyDictionary<string, bool> adds;

    private FolderTokens(
        string folder, string tokenizerClass, IReadOnlyDictionary<string, string> texts, IReadOnlyDictionary<string, bool> adds, IReadOnlyList<(long Id, string Text)> added)
    {
        (this.folder, this.tokenizerClass, this.texts, this.adds) = (folder, tokenizerClass, texts, adds);
        Added = added;
    }

    /// <summary>The tokens that <c>tokenizer_config.json</c> would add to those of the tokenizer.</summary>
    public IReadOnlyList<(long Id, string Text)> Added { get; }

    /// <summary>Reads the files that there are.</summary>
    /// <exception cref="InvalidDataException">One of them is malformed.</exception>
    public static FolderTokens Read(string folder)
    {
        Dictionary<string, string> texts = [];
        Dictionary<string, bool> adds = [];
        List<(long Id, string Text)> added = [];
        string tokenizerClass = "";
        foreach (string name in (string[])[TokenizerConfig, SpecialTokens])
        {
            ReadAny(folder, name, fields =>
            {
                foreach (string token in (string[])["bos_token", "eos_token", "unk_token", "pad_token"])
                {
                    if (TextOf(fields, token) is { } text)
                    {
                        texts.TryAdd(token, text);
                    }
                }

                foreach (string flag in ((string[])["add_bos_token", "add_eos_token"]).Where(fields.Has))
                {
                    adds.TryAdd(flag, fields.Flag(flag, false));
                }

                tokenizerClass = fields.Text("tokenizer_class", tokenizerClass);
                added.AddRange(fields.Inner("added_tokens_decoder").All().Select(Added));
            });
        }

        const string FastForm = "Fast";
        tokenizerClass = tokenizerClass.EndsWith(FastForm, StringComparison.Ordinal) ? tokenizerClass[..^FastForm.Length] : tokenizerClass;
        return new(folder, tokenizerClass, texts, adds, added);

        static (long Id, string Text) Added(JsonProperty entry) => long.TryParse(entry.Name, out long id) && TextOf(entry.Value) is { } text
            ? (id, text)
            : throw JsonFields.Unexpected("added_tokens_decoder", "ids with the text of a token", entry.Value);
    }

    /// <summary>The ids that end a text in the files of a folder, as they stand there; empty where no file names one.</summary>
    /// <param name="folder">It may lack all of the files.</param>
    /// <param name="config">Names the ids where the folder has no <c>config.json</c>; null for none.</param>
    public static IReadOnlyList<NamedToken> Ends(string folder, MambaConfig? config)
    {
        foreach (string name in (string[])[GenerationConfig, ConfigFile.Name])
        {
            List<NamedToken> ends = [];
            ReadAny(folder, name, fields => ends.AddRange(fields.Integers(EndField).Select(id => new NamedToken($"{Path.Combine(folder, name)}: {EndField}", id))));
            if (ends.Count > 0)
            {
                return ends;
            }
        }

        return File.Exists(Path.Combine(folder, ConfigFile.Name)) || config is null ? [] : [.. config.EndTokenIds.Select(id => new NamedToken($"{folder}: {EndField}", id))];
    }

    /// <summary>Whether a flag is set by which tokens are added to a text; null where no file says so.</summary>
    public bool? Adds(string flag) => adds.TryGetValue(flag, out bool value) ? value : null;

    /// <summary>The id of a special token in a tokenizer, for example of <c>bos_token</c>; null where no file names it, or where the tokenizer lacks it.</summary>
    public int? IdOf(string name, TokenizerParts parts) => texts.TryGetValue(name, out string? text) ? IdOfText(text, parts) : null;

    /// <summary>The parts of the folder's tokenizer with all tokens that end a text.</summary>
    /// <param name="parts">Their end tokens remain where no file names one.</param>
    /// <param name="config">See <see cref="Ends"/>.</param>
    /// <exception cref="InvalidDataException">A file names an id that is no token's; the message names the file and the field.</exception>
    public TokenizerParts Complete(TokenizerParts parts, MambaConfig? config)
    {
        HashSet<(long Id, string Text)> added = [.. parts.Added.Select(token => ((long)token.Id, token.Content))];
        foreach ((long id, string text) in Added)
        {
            Throw.Unless(
                added.Contains((id, text)),
                $"{Path.Combine(folder, TokenizerConfig)}: added_tokens_decoder: expected the added tokens of the tokenizer, found '{text}' with id {id}; save the tokenizer again");
        }

        List<int> ends = [];
        HashSet<long> ids = [.. parts.Added.Select(token => (long)token.Id), .. parts.Vocabulary.Select(token => (long)token.Value)];
        foreach (NamedToken end in Ends(folder, config))
        {
            Throw.Unless(
                ids.Contains(end.Id),
                $"{end.Where}: expected the id of a token, found {end.Id}");
            ends.Add((int)end.Id);
        }

        if (IdOf("eos_token", parts) is { } own)
        {
            ends.Add(own);
        }

        return ends.Count == 0 ? parts : parts with { EndTokenIds = [.. ends.Distinct()] };
    }

    /// <summary>Refuses flags that contradict the tokenizer: libraries differ in which of the two they obey.</summary>
    /// <remarks>
    /// Some classes of transformers make the template of <c>tokenizer.json</c> anew from the flags, others ignore a flag that is false. All write both
    /// into agreement when they save a tokenizer.
    /// </remarks>
    /// <param name="parts">The tokenizer's.</param>
    public void RequireAgreement(TokenizerParts parts)
    {
        SequenceTemplate template = SequenceTemplate.Read(parts.Steps.PostProcessor);
        int[] added = [.. template.Before, .. template.After];
        foreach ((string flag, string token) in ((string, string)[])[("add_bos_token", "bos_token"), ("add_eos_token", "eos_token")])
        {
            bool isAdded = IdOf(token, parts) is { } id && added.Contains(id), isAsked = Adds(flag) ?? isAdded;
            bool agree = isAsked == isAdded || (isAdded && !obeyingFlags.Contains(tokenizerClass));
            Throw.Unless(
                agree,
                $"{Path.Combine(folder, TokenizerConfig)}: {flag}: expected what the tokenizer does, which {(isAdded ? "adds" : "does not add")} {token} to a text; found {(isAsked ? "true" : "false")}; save the tokenizer again");
        }
    }

    private static int? IdOfText(string text, TokenizerParts parts) =>
        parts.Added.FirstOrDefault(token => token.Content == text) is { } added ? added.Id
        : parts.Vocabulary.FirstOrDefault(token => token.Key == text) is { Key: not null } found ? found.Value
        : null;

    // A text, or an object with the text and how it is matched.
    private static string? TextOf(JsonFields fields, string name) => fields.Find(name) is { } value
        ? TextOf(value) ?? throw JsonFields.Unexpected(name, "the text of a token", value)
        : null;

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Object => new JsonFields(value).Text("content", ""),
        _ => null,
    };

    private static void ReadAny(string folder, string name, Action<JsonFields> read)
    {
        string path = Path.Combine(folder, name);
        if (File.Exists(path))
        {
            UntrustedFile.ReadJson(path, LongestFile, json =>
            {
                read(new JsonFields(json));
                return true;
            });
        }
    }
}
