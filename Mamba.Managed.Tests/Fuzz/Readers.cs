using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Checkpoints;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Everything that reads a file of a stranger, each with a small file that has all of the format's parts.</summary>
internal static class Readers
{
    private static readonly MambaConfig Small = new() { DModel = 4, NLayer = 1, VocabSize = 8, DState = 2 };

    /// <summary>The readers, by name.</summary>
    public static IReadOnlyDictionary<string, Func<FuzzPart>> All { get; } = new Dictionary<string, Func<FuzzPart>>
    {
        ["safetensors"] = Safetensors,
        ["torch-archive"] = () => new ReaderFuzz(Fixture("torch-archive", "pytorch_model.bin"), path => PyTorchArchive.Open(path).Dispose()),
        ["training-checkpoint"] = TrainingCheckpoint,
        ["config"] = () => new ReaderFuzz(Fixture("mamba1-tiny", "config.json"), path => ConfigFile.Read(path)),
        ["config-original"] = () => new ReaderFuzz(Fixture("mamba1-tiny-original", "config.json"), path => ConfigFile.Read(path)),
        ["tokenizer-config"] = TokenizerConfig,
        ["shard-index"] = ShardIndex,
        ["gguf"] = Gguf,
        ["gguf-part"] = GgufPart,
        ["tokenizer"] = Tokenizer,
        ["saved-state"] = () => States((state, stream) => state.Restore(stream, new(5)), (state, stream) => state.Save(stream, new(5), "session"u8)),
        ["saved-session"] = SavedSessions,
        ["session-part"] = SessionPart,
        ["token-file"] = () => new ReaderFuzz(new("data.tokens", (_, path) => TokenDocuments.Of([[1, 2, 3], [4], [5, 6]]).Save(path)), Documents),
        ["json-lines"] = () => new ReaderFuzz(new("data.jsonl", (_, path) => File.WriteAllText(path, JsonLines)), Documents),
        ["run-checkpoint"] = RunCheckpoints,
    };

    private static string JsonLines => """
        {"text": "first \u00e9 line"}
        "a bare string"
        {"tokens": [1, 2, 255, 0]}

        """;

    private static ReaderFuzz Safetensors()
    {
        Dictionary<string, Tensor> tensors = new()
        {
            ["first"] = Tensor.FromFloats([1, 2, 3, 4, 5, 6], 2, 3),
            ["second"] = Tensor.Zeros(ElementType.BFloat16, 3, 1),
            ["third"] = Tensor.Zeros(ElementType.Int64, 2),
        };
        return new ReaderFuzz(new("model.safetensors", (_, path) => SafetensorsFile.Save(path, tensors, new Dictionary<string, string> { ["format"] = "pt" })), path =>
        {
            using SafetensorsFile opened = SafetensorsFile.Open(path);
            foreach (Tensor tensor in opened.Tensors.Values)
            {
                tensor.CopyBytesTo(0, new byte[tensor.ByteLength]);
            }
        });
    }

    // A state_dict among plain values of every kind.
    private static ReaderFuzz TrainingCheckpoint() => new(new("pytorch_model.bin", static (_, path) => TorchFile.Save(path, new Dictionary<object, object?>
    {
        ["model"] = TorchFile.StateOf([new("a.weight", Tensor.FromFloats([1, 2, 3, 4], 2, 2)), new("a.bias", Tensor.Zeros(ElementType.BFloat16, 3))]),
        ["optimizer"] = new Dictionary<object, object?> { [0] = new Dictionary<object, object?> { ["step"] = Tensor.FromFloats([5]) } },
        ["numbers"] = new object?[] { 1, 1.5, true, null, "text", new List<object?> { 2 } },
        ["set"] = new Opcodes("c__builtin__\nset\n](K\u0001K\u0002e\u0085R"),
        ["options"] = new Opcodes("cargparse\nNamespace\n)\u0081}X\u0002\0\0\0lrG\0\0\0\0\0\0\0\0sb"),
    })), path => PyTorchArchive.Open(path).Dispose());

    private static ReaderFuzz TokenizerConfig()
    {
        const string Good = """
            {"add_bos_token": false, "eos_token": {"content": "b", "special": true}, "added_tokens_decoder": {"5": {"content": "<|endoftext|>"}},
            "chat_template": [{"name": "default", "template": "x"}], "model_max_length": Infinity}
            """;
        return new ReaderFuzz(new(FolderTokens.TokenizerConfig, (_, path) => File.WriteAllText(path, Good)), path =>
        {
            string folder = Path.GetDirectoryName(path)!;
            _ = FolderTokens.Read(folder);
            _ = ChatTemplates.OfFolder(folder);
        });
    }

    private static ReaderFuzz ShardIndex()
    {
        return new ReaderFuzz(new("model.safetensors.index.json", Write), path => Mutations.Open(Path.GetDirectoryName(path)!));

        static void Write(string folder, string path)
        {
            MambaLanguageModel model = MambaLanguageModel.Create(Small, 1);
            Checkpoint.Save(folder, model);
            File.Delete(Path.Combine(folder, "model.safetensors"));
            string[] names = [.. model.Parameters().Select(p => p.Key)];
            foreach (IGrouping<string, string> shard in names.GroupBy(ShardOf))
            {
                SafetensorsFile.Save(Path.Combine(folder, shard.Key), model.Parameters().Where(p => shard.Contains(p.Key)).ToDictionary());
            }

            File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(new { metadata = new { total_size = 1 }, weight_map = names.ToDictionary(name => name, ShardOf) }));
        }

        static string ShardOf(string name) => name.Contains("mixer", StringComparison.Ordinal) ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
    }

    // Metadata, tokenizer and weights.
    private static ReaderFuzz Gguf()
    {
        GgufVocabulary vocabulary = new("gpt2", "gpt-2", ["a", "b", "ab"], [1, 1, 1], ["a b"]);
        MambaLanguageModel model = MambaLanguageModel.Create(new MambaConfig { DModel = 32, NLayer = 1, VocabSize = 8, DState = 2, DtRank = 1 }, 7);
        ReaderFuzz.GoodFile good = new("small.gguf", (_, path) => GgufCheckpoint.Save(path, model, GgufFileType.Q8_0, vocabulary, "x"));
        using GgufFile file = GgufFile.Open(good.Path);
        int header = (int)(new FileInfo(good.Path).Length - file.Tensors.Values.Sum(tensor => (tensor.ByteLength + 31) / 32 * 32));
        return new ReaderFuzz(good, Read, header);

        static void Read(string path)
        {
            using ModelSource source = ModelSource.Open(path);
            _ = source.Model;
            _ = source.Tokenizer.Encode("abc ab  é");
        }
    }

    // The second of two parts, whose header is read beside the first one's.
    private static ReaderFuzz GgufPart()
    {
        return new ReaderFuzz(new("m-00002-of-00002.gguf", Write), path => Mutations.Open(path.Replace("-00002-of", "-00001-of", StringComparison.Ordinal)));

        static void Write(string folder, string path)
        {
            string whole = Path.Combine(folder, "whole.gguf");
            GgufCheckpoint.Save(whole, MambaLanguageModel.Create(Small, 1), GgufFileType.F32);
            using GgufFile file = GgufFile.Open(whole);
            for (uint i = 0; i < 2; i++)
            {
                GgufMetadata metadata = i == 0 ? file.Metadata : new();
                (metadata["split.no"], metadata["split.count"]) = (GgufValue.From(i), GgufValue.From(2u));
                metadata["split.tensors.count"] = GgufValue.From((uint)file.Tensors.Count);
                GgufFile.Save(i == 0 ? path.Replace("-00002-of", "-00001-of", StringComparison.Ordinal) : path, metadata, i == 0 ? file.Tensors.SkipLast(4) : file.Tensors.TakeLast(4));
            }
        }
    }

    private static ReaderFuzz Tokenizer() => new ReaderFuzz(new("tokenizer.json", (_, path) => File.WriteAllText(path, Tokenizers.TokenizerFileTests.Good)), path =>
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(path);
        _ = tokenizer.Decode(tokenizer.Encode("abc ab  é"));
    });

    private static ReaderFuzz States(Action<CpuState, Stream> restore, Action<CpuState, Stream> save)
    {
        ReaderFuzz.GoodFile good = new("saved", (_, path) =>
        {
            using CpuExecutor executor = new(MambaLanguageModel.Create(Small, 1), 1);
            using CpuState state = executor.CreateState();
            executor.Prefill([1, 2, 3], state, new float[Small.VocabSize]);
            using FileStream stream = File.Create(path);
            save(state, stream);
        });
        return new ReaderFuzz(good, path =>
        {
            using CpuState state = new(Small);
            using MemoryStream stream = new(File.ReadAllBytes(path));
            restore(state, stream);
        });
    }

    private static ReaderFuzz SavedSessions() => States(
        (state, stream) => GenerationSession.Restore(stream, new(5), state).Dispose(),
        (state, stream) => Session(state).Save(stream, new(5)));

    // Without the checksum, which refuses nearly all damage before a session is decoded.
    private static ReaderFuzz SessionPart()
    {
        CpuState seen = new(Small);
        seen.Import(new float[seen.Layout.Length(0)], 2);
        return new ReaderFuzz(new("session", (_, path) => File.WriteAllBytes(path, SavedSession.Encode(Session(seen)))), path =>
        {
            GenerationSession session = SavedSession.Decode(File.ReadAllBytes(path), seen, seen.Position);
            FuzzPart.Require(session.Waiting.Length == session.Tokens.Length - 2, "tokens that wait");
        });
    }

    private static GenerationSession Session(CpuState state) => new(state, [1, 2, 3, 4], seed: 3) { Held = new([0xc3], "ab") };

    private static ReaderFuzz RunCheckpoints()
    {
        string folder = "";
        return new ReaderFuzz(new("checkpoint.json", Write), path =>
        {
            File.Move(path, Path.Combine(folder, "checkpoint.json"), overwrite: true);
            _ = RunCheckpoint.Newest(Path.GetDirectoryName(folder)!);
        });

        void Write(string run, string path)
        {
            using TokenDocuments documents = TokenDocuments.Of([[1, 2, 3, 4, 5, 6, 7, 1, 2, 3]]);
            using Trainer trainer = new(MambaLanguageModel.Create(Small, 1), documents, new() { Batch = new() { Windows = 1, Length = 4 }, Threads = 1 }, run);
            trainer.Advance();
            trainer.Save();
            folder = Directory.GetDirectories(run).Single();
            File.Copy(Path.Combine(folder, "checkpoint.json"), path);
        }
    }

    private static void Documents(string path) => DocumentReader.Read(path, new ByteTokenizer().Encode).Documents.Dispose();

    private static ReaderFuzz.GoodFile Fixture(string folder, string name) => new(
        name, (_, path) => File.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", folder, name), path));
}
