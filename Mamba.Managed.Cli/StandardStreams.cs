using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Mamba.Managed.Cli;

/// <summary>Standard input, output and error, also where they are closed or nobody reads them.</summary>
internal static class StandardStreams
{
    private const int Input = 0;
    private const int Output = 1;
    private const int Error = 2;

    // O_CLOEXEC of Linux.
    private const int CloseOnExecute = 0x80000;

    /// <summary>Whether the process was started without standard input.</summary>
    public static bool InputIsClosed => IsClosed(Input);

    /// <summary>Makes <see cref="Console.Out"/> notice that its reader has gone, and <see cref="Console.Error"/> never fail.</summary>
    public static void Use()
    {
        if (OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
            return;
        }

        Console.SetOut(Writer(IsClosed(Output) ? new ClosedStream() : Stream(Output)));
        Console.SetError(IsClosed(Error) ? TextWriter.Null : Writer(new SilentStream(Stream(Error))));
    }

    private static StreamWriter Writer(Stream stream) => new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };

    // The console's own stream is deaf to a pipe that has no reader; a FileStream over a file would write at a position of its own, over what others wrote.
    private static NamedStream Stream(int descriptor)
    {
        FileStream stream = new(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        Stream written = !stream.CanSeek ? new PipeStream(stream) : descriptor == Output ? Console.OpenStandardOutput() : Console.OpenStandardError();
        return new NamedStream(written);
    }

    // A closed descriptor is soon taken by a file of the runtime's own. Those are closed in child processes, which an inherited one cannot be.
    private static bool IsClosed(int descriptor)
    {
        if (!OperatingSystem.IsLinux() || !Directory.Exists("/proc/self/fdinfo"))
        {
            return false;
        }

        try
        {
            string flags = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{descriptor}"))
                .First(line => line.StartsWith("flags:", StringComparison.Ordinal));
            return (Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & CloseOnExecute) != 0;
        }
        catch (FileNotFoundException)
        {
            return true;
        }
    }

    // What could not be written is told apart from the files of a command.
    private sealed class NamedStream(Stream stream) : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                stream.Write(buffer);
            }
            catch (IOException error)
            {
                throw new IOException($"standard output: {error.Message}", error);
            }
        }
    }

    private sealed class PipeStream(FileStream stream) : WriteOnlyStream
    {
        // PIPE_BUF: no more is written as a whole or not at all, where a pipe is set not to block.
        private const int Part = 4096;
        private const int BrokenPipe = 32;
        private static readonly int Again = OperatingSystem.IsLinux() ? 11 : 35;
        private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (!buffer.IsEmpty)
            {
                int count = Math.Min(Part, buffer.Length);
                try
                {
                    stream.Write(buffer[..count]);
                    buffer = buffer[count..];
                }
                catch (IOException error) when (error.HResult == Again)
                {
                    Thread.Sleep(Pause);
                }
                catch (IOException error) when (error.HResult == BrokenPipe)
                {
                    throw new ReaderGoneException("standard output: nobody reads it any more", error);
                }
            }
        }
    }

    private sealed class ClosedStream : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!buffer.IsEmpty)
            {
                throw new IOException("standard output: expected somewhere to write, found it closed");
            }
        }
    }

    // There is nowhere to report that a report could not be written.
    private sealed class SilentStream(Stream stream) : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                stream.Write(buffer);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or ReaderGoneException)
            {
            }
        }
    }

    private abstract class WriteOnlyStream : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public abstract override void Write(ReadOnlySpan<byte> buffer);

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
