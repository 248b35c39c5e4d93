using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Mamba.Managed.Tokenizers;

/// <summary>Reads <c>tokenizer.model</c>, the file of SentencePiece, whose model is byte-pair encoding.</summary>
/// <remarks>
/// A protocol buffer, described by <c>sentencepiece_model.proto</c> of the SentencePiece project; the numbers of its fields are the constants below. What
/// the file asks for and this library does not do is refused by name.
/// </remarks>
internal static class SentencePieceFile
{
    /// <summary>The file's name in a model folder.</summary>
    public const string Name = "tokenizer.model";

    private const int LongestFile = 64 << 20;
    private const int BytePairModel = 2;
    private static readonly string[] modelNames = ["none", "unigram", "bpe", "word", "char"];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="addsStart">Whether the token that begins a text is added to each.</param>
    /// <param name="addsEnd">Whether the token that ends it is.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed, or of a kind that is not supported.</exception>
    public static TokenizerParts Read(string path, bool addsStart, bool addsEnd) => UntrustedFile.Read(path, file => file.Length <= LongestFile
        ? Parse(UntrustedFile.ReadBytes(file, 0, (int)file.Length), addsStart, addsEnd)
        : throw new InvalidDataException(Throw.Invariant($"expected at most {LongestFile} bytes, found {file.Length}")));

    /// <summary>Reads the contents of a file.</summary>
    /// <exception cref="InvalidDataException">The contents are malformed, or of a kind that is not supported.</exception>
    public static TokenizerParts Parse(ReadOnlySpan<byte> model, bool addsStart, bool addsEnd)
    {
        List<Piece> pieces = [];
        (Training training, Normalization normalization) = (new(), new());
        for (ProtocolReader reader = new(model); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1:
                    pieces.Add(ReadPiece(reader.Bytes, pieces.Count));
                    break;
                case 2:
                    training = Training.Read(reader.Bytes);
                    break;
                case 3:
                    normalization = Normalization.Read(reader.Bytes);
                    break;
                default:
                    break;
            }
        }

        Throw.Unless(pieces.Count > 0, $"expected a SentencePiece model, found no pieces; the file is of another kind");
        training.Require();
        normalization.Require();
        return new SentencePieceVocabulary(pieces) { AddsSpacePrefix = normalization.AddsPrefix, RemovesExtraSpaces = normalization.RemovesExtraSpaces }
            .ToParts(SequenceTemplate.Json(addsStart ? Control(training.Start) : null, addsEnd ? Control(training.End) : null), Control(training.End) is { } end ? [end.Id] : []);

        (string Text, int Id)? Control(int id) => id >= 0 && id < pieces.Count && pieces[id].Kind == PieceKind.Control ? (pieces[id].Text, id) : null;
    }

    private static Piece ReadPiece(ReadOnlySpan<byte> bytes, int id)
    {
        (string text, float score, int kind) = ("", 0, (int)PieceKind.Normal);
        for (ProtocolReader reader = new(bytes); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Text;
                    break;
                case 2:
                    score = reader.Float;
                    break;
                case 3:
                    kind = reader.Integer;
                    break;
                default:
                    break;
            }
        }

        Throw.Unless(Enum.IsDefined((PieceKind)kind), $"piece {id}: expected a type from 1 to 6, found {kind}");
        return new(text, score, (PieceKind)kind);
    }

    private readonly record struct Training(int Model, int Start, int End, bool HasSuffixSpaces)
    {
        // The defaults of the format.
        public Training()
            : this(1, 1, 2, false)
        {
        }

        public static Training Read(ReadOnlySpan<byte> bytes)
        {
            Training found = new();
            for (ProtocolReader reader = new(bytes); reader.Next();)
            {
                found = reader.Field switch
                {
                    3 => found with { Model = reader.Integer },
                    24 => found with { HasSuffixSpaces = reader.Integer != 0 },
                    41 => found with { Start = reader.Integer },
                    42 => found with { End = reader.Integer },
                    _ => found,
                };
            }

            return found;
        }

        public void Require()
        {
            string name = (uint)Model < (uint)modelNames.Length ? modelNames[Model] : Throw.Invariant($"{Model}");
            Throw.Unless(Model == BytePairModel, $"trainer_spec.model_type: expected bpe, found {name}; this kind is not supported");
            Throw.Unless(!HasSuffixSpaces, $"trainer_spec.treat_whitespace_as_suffix: expected false, found true; this is not supported");
        }
    }

    private readonly record struct Normalization(string Name, int MapLength, bool AddsPrefix, bool RemovesExtraSpaces, bool EscapesSpaces)
    {
        public Normalization()
            : this("", 0, true, true, true)
        {
        }

        public static Normalization Read(ReadOnlySpan<byte> bytes)
        {
            Normalization found = new();
            for (ProtocolReader reader = new(bytes); reader.Next();)
            {
                found = reader.Field switch
                {
                    1 => found with { Name = reader.Text },
                    2 => found with { MapLength = reader.Bytes.Length },
                    3 => found with { AddsPrefix = reader.Integer != 0 },
                    4 => found with { RemovesExtraSpaces = reader.Integer != 0 },
                    5 => found with { EscapesSpaces = reader.Integer != 0 },
                    _ => found,
                };
            }

            return found;
        }

        public void Require()
        {
            Throw.Unless(MapLength == 0, $"normalizer_spec.precompiled_charsmap: expected none, found the map of {Shortened.Text(Name)}; this is not supported: save the tokenizer as tokenizer.json");
            Throw.Unless(EscapesSpaces, $"normalizer_spec.escape_whitespaces: expected true, found false; this is not supported");
        }
    }

    // The fields of a message one after the other; a length beyond the end is an error before anything is taken.
    private ref struct ProtocolReader(ReadOnlySpan<byte> message)
    {
        private readonly ReadOnlySpan<byte> message = message;
        private ulong number;
        private ReadOnlySpan<byte> bytes;
        private int at;
        private int wire;

        public int Field { get; private set; }

        public readonly ReadOnlySpan<byte> Bytes => wire == 2 ? bytes : throw Malformed();

        public readonly int Integer => wire == 0 ? unchecked((int)number) : throw Malformed();

        public readonly float Float => wire == 5 ? BinaryPrimitives.ReadSingleLittleEndian(bytes) : throw Malformed();

        public readonly string Text => Utf8.IsValid(Bytes) ? Encoding.UTF8.GetString(Bytes) : throw Malformed();

        public bool Next()
        {
            if (at == message.Length)
            {
                return false;
            }

            ulong key = ReadNumber();
            (Field, wire) = ((int)Math.Min(key >> 3, int.MaxValue), (int)(key & 7));
            bytes = default;
            switch (wire)
            {
                case 0:
                    number = ReadNumber();
                    break;
                case 1:
                    bytes = Take(sizeof(ulong));
                    break;
                case 2:
                    bytes = Take(ReadNumber());
                    break;
                case 5:
                    bytes = Take(sizeof(uint));
                    break;
                default:
                    throw Malformed();
            }

            return true;
        }

        private static InvalidDataException Malformed() => new("expected a SentencePiece model, found bytes that are none; the file is of another kind or not complete");

        private ReadOnlySpan<byte> Take(ulong length)
        {
            if (length > (ulong)(message.Length - at))
            {
                throw Malformed();
            }

            ReadOnlySpan<byte> taken = message.Slice(at, (int)length);
            at += (int)length;
            return taken;
        }

        private ulong ReadNumber()
        {
            ulong value = 0;
            for (int shift = 0; shift < 64 && at < message.Length; shift += 7)
            {
                byte part = message[at++];
                value |= (ulong)(part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }

            throw Malformed();
        }
    }
}
